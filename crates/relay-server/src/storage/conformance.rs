//! What every backend of [`Storage`](super::Storage) must do, as tests that each of them runs.
//!
//! `suite!(with_store)` makes a test of each sentence below; `with_store` runs it on a fresh store.

pub(super) mod accounts;
pub(super) mod audit;
pub(super) mod backups;
pub(super) mod blobs;
pub(super) mod conversations;
pub(super) mod deletion;
pub(super) mod devices;
pub(super) mod expiry;
pub(super) mod linking;
pub(super) mod login;
pub(super) mod messages;
pub(super) mod people;
pub(super) mod prekeys;
pub(super) mod presence;
pub(super) mod pushes;
pub(super) mod reading;
pub(super) mod recovery;
pub(super) mod reports;
pub(super) mod retention;
pub(super) mod rewrap;
pub(super) mod unread;
pub(super) mod workspaces;

/// Makes a test of each sentence, on stores that `$with_store` brings.
macro_rules! suite {
    ($with_store:path) => {
        $crate::storage::conformance::sentences! { $with_store;
            accounts {
                the_first_candidate_becomes_the_secret,
                nodes_that_start_at_once_agree,
                a_registration_is_stored_whole,
                the_same_registration_is_accepted_again,
                a_name_is_taken_whatever_its_case,
                an_account_id_is_not_given_twice,
                of_many_who_want_a_name_one_gets_it,
                an_account_belongs_to_a_workspace_that_exists,
                envelope_keys_are_replaced_by_the_next_epoch_only,
                a_keyring_is_replaced_by_the_next_number_only,
            }
            devices {
                a_device_that_joins_begins_at_the_end,
                a_removed_device_loses_what_it_could_act_with,
                a_list_that_does_not_continue_the_stored_one_is_a_conflict,
                the_same_list_again_changes_nothing,
            }
            login {
                single_use_state_is_taken_once,
                single_use_state_runs_out,
                of_many_who_take_single_use_state_one_gets_it,
                a_refresh_token_spent_twice_revokes_its_family,
                the_same_spending_is_recognised_for_a_moment,
                the_same_spending_is_a_replay_when_the_moment_is_over,
                a_session_ends_with_its_family_or_its_device,
                a_refresh_token_runs_out,
                of_many_who_spend_a_token_one_succeeds,
                a_revoked_device_refreshes_nothing,
                what_has_run_out_is_forgotten,
            }
            linking {
                a_slot_is_written_once,
                slots_of_other_rows_and_mailboxes_are_others,
                of_two_who_write_a_slot_one_is_read,
                a_mailbox_is_gone_when_its_time_is_over,
                mailboxes_are_counted,
            }
            recovery {
                a_recovery_key_is_found_by_name_whatever_its_case,
                another_password_and_its_keyring_come_together,
            }
            reports {
                what_is_there_can_be_reported_by_who_could_read_it,
                a_report_is_filed_once_and_shown_whole,
                an_account_files_so_many_reports,
                a_report_is_closed_once_and_forgotten_in_time,
            }
            audit {
                an_empty_log_is_whole,
                entries_stand_in_one_line,
                a_place_that_was_noted_must_be_there,
                old_entries_go_and_the_rest_stays_whole,
                what_was_changed_or_taken_out_is_found,
            }
            backups {
                a_head_is_replaced_by_the_next_number_only,
                of_many_who_replace_a_head_one_succeeds,
                segments_are_kept_as_long_as_a_head_stands_for_them,
                segments_follow_each_other_and_are_the_accounts_own,
            }
            blobs {
                room_is_taken_before_anything_comes,
                of_many_who_want_the_last_room_one_gets_it,
                room_comes_back_with_deletion,
                pieces_follow_each_other_until_the_blob_is_complete,
                an_earlier_piece_replaces_what_came_after,
                others_read_what_is_complete_in_their_workspace,
                what_nothing_names_is_collected,
                those_who_collect_at_once_get_different_blobs,
                what_an_account_leaves_is_due_at_once,
                objects_that_rows_know_are_listed_by_shard,
                a_blob_lives_as_long_as_a_message_that_names_it,
                a_message_that_names_what_is_not_there_is_refused,
                a_resend_is_known_although_its_blob_is_gone,
                two_who_let_go_at_once_leave_nothing,
                an_account_keeps_what_is_on_its_list,
            }
            pushes {
                many_messages_are_one_wake_up,
                a_lease_is_one_nodes_until_it_ends,
                of_many_nodes_each_gets_other_wake_ups,
                mail_that_comes_while_one_is_woken_is_not_forgotten,
                what_failed_too_often_waits_for_the_next_message,
                a_target_goes_with_its_word_or_its_device,
                devices_with_a_target_come_in_pages,
            }
            prekeys {
                each_one_time_prekey_goes_out_once,
                a_newer_set_replaces_what_is_left_of_the_older,
                the_same_upload_brings_no_spent_prekey_back,
                a_device_that_is_not_there_uploads_nothing,
            }
            conversations {
                a_creation_is_accepted_again,
                two_people_have_one_direct_conversation,
                a_member_must_have_an_account,
                of_many_who_append_an_entry_one_succeeds,
                an_entry_is_accepted_again,
                an_entry_of_an_unknown_conversation_is_not_found,
                members_read_the_whole_log_and_former_members_their_part,
                conversations_come_in_pages,
                acquaintances_share_a_conversation_now,
            }
            messages {
                sequences_are_gapless_with_many_writers,
                a_resend_returns_the_first_sequence,
                a_resend_is_recognised_when_the_membership_has_moved_on,
                a_message_twice_in_one_batch_is_stored_once,
                a_refused_message_does_not_hinder_the_others,
                another_senders_message_id_is_a_conflict,
                an_empty_batch_is_no_work,
                batches_that_cross_do_not_block_each_other,
            }
            reading {
                a_device_reads_its_own_wraps_only,
                a_page_tells_whether_more_follow,
                a_page_of_large_messages_ends_early,
                nobody_reads_what_was_said_before_or_after_their_time,
                who_comes_back_reads_both_times,
                a_cursor_never_goes_back_or_past_the_end,
                acknowledgements_of_strangers_are_passed_over,
                a_backlog_names_what_is_to_be_read,
                a_former_member_still_gets_what_was_theirs,
            }
            deletion {
                a_deleted_message_keeps_its_place_and_shows_by_whose_word,
                a_deletion_of_what_is_gone_or_never_was_changes_nothing,
                a_deleted_message_is_not_erased_again,
                of_many_who_delete_a_message_one_does,
                a_deleted_message_lets_go_of_its_blobs,
            }
            presence {
                acquaintances_are_those_of_the_workspace,
                the_last_moment_is_kept_for_those_who_may_know,
                the_last_moment_never_goes_back,
                the_last_moment_is_forgotten,
            }
            retention {
                a_workspace_has_the_rules_it_was_given_last,
                what_is_too_old_is_erased_and_keeps_its_place,
                what_everybody_has_is_erased,
                nobody_waits_for_who_has_left_or_came_later,
                what_is_erased_lets_go_of_its_blobs,
                other_workspaces_are_left_alone,
                conversations_are_erased_in_pages,
                messages_of_every_month_stand_in_one_line,
                months_that_are_too_old_are_let_go_of,
                usage_is_counted_by_account_and_workspace,
            }
            rewrap {
                who_came_later_reads_by_the_wrap_that_was_added,
                a_wrap_is_added_once_and_never_replaced,
                another_epoch_is_added_beside_the_first,
                what_is_gone_or_destroys_itself_takes_no_wraps,
                only_what_is_signed_takes_wraps,
                a_message_takes_so_many_wraps_and_no_more,
                of_many_who_give_at_once_nothing_is_lost,
                added_wraps_go_with_their_message,
            }
            unread {
                what_others_said_after_the_last_look_is_unread,
                who_came_later_has_not_missed_what_was_before,
                nobody_counts_to_the_end_of_a_channel,
            }
            workspaces {
                an_invitation_brings_its_role_and_is_spent,
                of_many_who_spend_the_last_use_one_comes_in,
                what_was_repeated_is_not_spent_twice,
                an_invitation_runs_out_and_is_revoked,
                nobody_of_another_workspace_gets_into_a_conversation,
                members_come_in_pages_and_names_by_their_beginning,
                two_owners_do_not_both_step_down,
                who_is_suspended_has_no_session_until_reinstated,
                sessions_tell_when_they_were_used,
                of_a_deleted_account_only_its_public_keys_are_left,
                a_deleted_accounts_name_is_kept_for_a_while,
                messages_go_with_their_account_where_the_policy_says_so,
                who_was_deleted_is_not_added_and_does_not_come_back,
                a_document_has_one_conversation_in_a_workspace,
                who_joins_a_channel_may_read_it_from_its_beginning,
                workspaces_are_made_and_listed,
            }
            expiry {
                what_is_due_is_not_read_before_it_is_erased,
                an_erased_message_keeps_its_place_and_its_id,
                nothing_is_erased_before_its_time,
                sweeps_at_once_erase_each_message_once,
                a_timer_after_seen_waits_for_everybody,
                a_timer_does_not_wait_for_who_has_left,
                two_last_receipts_at_once_start_the_timer,
                receipts_only_go_forward,
                a_receipt_for_what_is_not_there_is_refused,
            }
        }
    };
}
pub(super) use suite;

macro_rules! sentences {
    ($with_store:path; $($module:ident { $($sentence:ident,)* })*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $sentence() {
                $with_store($crate::storage::conformance::$module::$sentence).await;
            })*
        })*
    };
}
pub(super) use sentences;
