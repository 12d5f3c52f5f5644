//! Vectors of membership: a log from its beginning, and entries that do not continue it.

use chat_core::codec::{Bytes, Digest, List, to_bytes};
use chat_core::device::AccountDevices;
use chat_core::envelope::{Expiry, ExpiryMode, WrapScheme};
use chat_core::id::{AccountId, ConversationId, WorkspaceId};
use chat_core::membership::{
    Allowed, Change, ConversationKind, Departed, Joining, Member, Membership, MembershipEntry,
    Policy, Role, SignedEntry, VERSION,
};
use chat_core::signed::{Unverified, Verified};
use chat_core::time::Timestamp;
use serde_json::{Value, json};

use super::{check, device, hex, membership_error, signed, spec, verify_error};
use crate::people::{NOON, Person, sign_with};

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;
const DAVE: u8 = 4;

#[test]
fn a_membership_log_is_as_written() {
    let mut membership = None;
    let log: Vec<Value> = story()
        .into_iter()
        .map(|(author, change)| {
            let entry = next(membership.as_ref(), author, change);
            let (signed_entry, verified) = sign(author, &entry);
            let after = advance(membership.take(), &verified).unwrap();
            let shown = shown(author, &entry, &signed_entry, &after);
            membership = Some(after);
            shown
        })
        .collect();
    let membership = membership.unwrap();
    let refused = refused(&membership);
    let people = [ALICE, BOB, CAROL, DAVE].map(|number| device(&Person::new(number), number));

    check(
        "membership.json",
        &json!({
            "specification": "membership.md",
            "people": people,
            "conversation": hex(membership.id().as_bytes()),
            "log": log,
            "refused_after_the_log": refused,
            "refused_beginnings": refused_beginnings(),
            "direct": direct(),
            "channel": channel(),
            "removed_device": removed_device(&membership),
        }),
    );
}

/// Who does what, in a group of two.
fn story() -> Vec<(u8, Change)> {
    let timer = Some(Expiry { mode: ExpiryMode::AfterSeen, after_ms: 86_400_000 });
    let open = Policy { add: Allowed::Members, timer, ..Policy::DEFAULT };
    let remove = |number| Change::Remove { account: account(number) };
    vec![
        (ALICE, creation(ConversationKind::Group, &[(ALICE, Role::Admin), (BOB, Role::Member)])),
        (ALICE, Change::SetPolicy { policy: open }),
        (BOB, add(CAROL, Role::Member)),
        (ALICE, Change::SetRole { account: account(BOB), role: Role::Admin }),
        (BOB, remove(CAROL)),
        (ALICE, Change::Leave),
        (BOB, add(CAROL, Role::Member)),
    ]
}

/// Bob decides, Carol takes part, everybody may add; each change breaks one rule.
fn refused(membership: &Membership) -> Vec<Value> {
    let change = |title, author, change| (title, author, next(Some(membership), author, change));
    let stale = next(Some(membership), BOB, add(DAVE, Role::Member));
    let long = Expiry { mode: ExpiryMode::AfterSent, after_ms: 365 * 86_400_000 + 1 };
    let cases = [
        ("the author is no member", DAVE, stale.clone()),
        ("another place", BOB, MembershipEntry { index: 8, ..stale.clone() }),
        (
            "another previous entry",
            BOB,
            MembershipEntry { previous: Digest::ZERO, ..stale.clone() },
        ),
        ("earlier than the entry before", BOB, MembershipEntry { at: NOON, ..stale.clone() }),
        ("another version", BOB, MembershipEntry { version: 2, ..stale.clone() }),
        ("no conversation", BOB, MembershipEntry { conversation: None, ..stale.clone() }),
        (
            "another conversation",
            BOB,
            MembershipEntry { conversation: Some(ConversationId::from_bytes([9; 16])), ..stale },
        ),
        change("a second beginning", BOB, creation(ConversationKind::Group, &[(BOB, Role::Admin)])),
        change("a member adds an admin", CAROL, add(DAVE, Role::Admin)),
        change("nobody is added", BOB, Change::Add { members: List::default() }),
        change("a member is added again", BOB, add(CAROL, Role::Member)),
        change("a member removes", CAROL, Change::Remove { account: account(BOB) }),
        change("nobody is removed", BOB, Change::Remove { account: account(DAVE) }),
        change("the last admin removes themselves", BOB, Change::Remove { account: account(BOB) }),
        change("the last admin leaves", BOB, Change::Leave),
        change("the last admin steps down", BOB, role(BOB, Role::Member)),
        change("a member takes a role", CAROL, role(CAROL, Role::Admin)),
        change("a role for nobody", BOB, role(DAVE, Role::Admin)),
        change("a member sets the policy", CAROL, Change::SetPolicy { policy: Policy::DEFAULT }),
        change(
            "a timer of more than a year",
            BOB,
            Change::SetPolicy { policy: Policy { timer: Some(long), ..Policy::DEFAULT } },
        ),
    ];
    cases
        .into_iter()
        .map(|(title, author, mut entry)| {
            entry.author = Person::new(author).address(author);
            let (signed_entry, verified) = sign(author, &entry);
            let error = advance(Some(membership.clone()), &verified).unwrap_err();
            broken(title, author, &entry, &signed_entry, membership_error(error))
        })
        .collect()
}

fn refused_beginnings() -> Vec<Value> {
    let document = |id: Option<&str>| {
        let mut change = creation(ConversationKind::Document, &[(ALICE, Role::Admin)]);
        if let Change::Create { document, .. } = &mut change {
            *document = id.map(str::to_owned);
        }
        change
    };
    let both = [(ALICE, Role::Admin), (BOB, Role::Admin)];
    let three = [both[0], both[1], (CAROL, Role::Admin)];
    let direct = |members: &[_]| creation(ConversationKind::Direct, members);
    let cases = [
        ("the first entry adds", add(BOB, Role::Member)),
        ("the author is not among the members", creation(ConversationKind::Group, &both[1..])),
        (
            "the author is no admin",
            creation(ConversationKind::Group, &[(ALICE, Role::Member), both[1]]),
        ),
        ("a member is named twice", creation(ConversationKind::Group, &[both[0], both[0]])),
        ("a direct conversation of one", direct(&both[..1])),
        ("a direct conversation of three", direct(&three)),
        ("a document chat without a document", document(None)),
        ("a document chat with an empty name", document(Some(""))),
    ];
    cases
        .into_iter()
        .map(|(title, change)| {
            let entry = next(None, ALICE, change);
            let (signed_entry, verified) = sign(ALICE, &entry);
            let error = Membership::create(&verified).unwrap_err();
            broken(title, ALICE, &entry, &signed_entry, membership_error(error))
        })
        .collect()
}

/// Of two people: what they agreed on may change, who they are may not.
fn direct() -> Value {
    let both = [(ALICE, Role::Admin), (BOB, Role::Admin)];
    let first = next(None, ALICE, creation(ConversationKind::Direct, &both));
    let (signed_first, verified) = sign(ALICE, &first);
    let membership = Membership::create(&verified).unwrap();
    let policy = Policy { post: Allowed::Admins, ..Policy::DEFAULT };
    let second = next(Some(&membership), BOB, Change::SetPolicy { policy });
    let (signed_second, verified) = sign(BOB, &second);
    let after = advance(Some(membership.clone()), &verified).unwrap();
    let refused: Vec<_> = [
        ("somebody is added", add(CAROL, Role::Member)),
        ("somebody is removed", Change::Remove { account: account(ALICE) }),
        ("somebody leaves", Change::Leave),
        ("somebody gets another role", role(ALICE, Role::Member)),
    ]
    .into_iter()
    .map(|(title, change)| {
        let entry = next(Some(&after), BOB, change);
        let (signed_entry, verified) = sign(BOB, &entry);
        let error = advance(Some(after.clone()), &verified).unwrap_err();
        broken(title, BOB, &entry, &signed_entry, membership_error(error))
    })
    .collect();
    json!({
        "log": [
            shown(ALICE, &first, &signed_first, &membership),
            shown(BOB, &second, &signed_second, &after),
        ],
        "refused_after_the_log": refused,
    })
}

/// Bob joins by himself; what channels may have in their policy, and nothing else may.
fn channel() -> Value {
    let begins = |kind, rules: Policy| {
        let mut change = creation(kind, &[(ALICE, Role::Admin)]);
        if let Change::Create { policy, .. } = &mut change {
            *policy = rules;
        }
        change
    };
    let departed = Policy { departed: Departed::Erase, ..Policy::CHANNEL };
    let story = [
        (ALICE, begins(ConversationKind::Channel, Policy::CHANNEL)),
        (BOB, Change::Join),
        (ALICE, Change::SetPolicy { policy: departed }),
        (BOB, Change::Leave),
        (BOB, Change::Join),
    ];
    let (mut membership, mut log) = (None, Vec::new());
    for (author, change) in story {
        let entry = next(membership.as_ref(), author, change);
        let (signed_entry, verified) = sign(author, &entry);
        let after = advance(membership, &verified).unwrap();
        log.push(shown(author, &entry, &signed_entry, &after));
        membership = Some(after);
    }
    let channel = membership.unwrap();
    let by_device = Policy { scheme: WrapScheme::Ratchet, ..Policy::CHANNEL };
    let refused = [
        ("a member joins", BOB, Change::Join),
        ("history where wraps are for devices", ALICE, Change::SetPolicy { policy: by_device }),
    ]
    .map(|(title, author, change)| {
        let entry = next(Some(&channel), author, change);
        let (signed_entry, verified) = sign(author, &entry);
        let error = advance(Some(channel.clone()), &verified).unwrap_err();
        broken(title, author, &entry, &signed_entry, membership_error(error))
    });
    let open = Policy { join: Joining::Workspace, ..Policy::DEFAULT };
    let entry = next(None, ALICE, begins(ConversationKind::Group, open));
    let (signed_entry, verified) = sign(ALICE, &entry);
    let error = membership_error(Membership::create(&verified).unwrap_err());
    json!({
        "log": log,
        "refused_after_the_log": refused,
        "refused_beginning":
            broken("a group that the workspace may join", ALICE, &entry, &signed_entry, error),
    })
}

/// An entry counts if its device was not removed by then.
fn removed_device(membership: &Membership) -> Vec<Value> {
    let bob = Person::new(BOB);
    let entry = next(Some(membership), BOB, Change::Remove { account: account(CAROL) });
    let (signed_entry, _) = sign(BOB, &entry);
    [("after the entry", 1), ("in the moment of the entry", 0)]
        .into_iter()
        .map(|(removed, later)| {
            let at = Timestamp::from_millis(entry.at.as_millis() + later);
            let published = bob.list(1, Digest::ZERO, &[9], &[(BOB, at)]);
            let devices = AccountDevices::verify(bob.account, published.clone()).unwrap();
            let verdict = signed_entry.clone().verify(&devices).map_or_else(verify_error, |_| "ok");
            json!({
                "removed": removed,
                "devices": hex(to_bytes(&published)),
                "entry": hex(to_bytes(&signed_entry)),
                "verdict": verdict,
            })
        })
        .collect()
}

fn next(membership: Option<&Membership>, author: u8, change: Change) -> MembershipEntry {
    let address = Person::new(author).address(author);
    match membership {
        None => MembershipEntry {
            version: VERSION,
            conversation: None,
            index: 0,
            previous: Digest::ZERO,
            author: address,
            at: NOON,
            change,
        },
        Some(membership) => {
            let now = Timestamp::from_millis(membership.at().as_millis() + 1_000);
            membership.next_entry(address, change, now)
        }
    }
}

fn sign(author: u8, entry: &MembershipEntry) -> (SignedEntry, Verified<MembershipEntry>) {
    let person = Person::new(author);
    let signed: Unverified<_> = sign_with(&Person::device_key(author), entry);
    let signed_entry = SignedEntry { signer: person.address(author), entry: signed };
    let devices = AccountDevices::verify(person.account, person.first_list(&[author])).unwrap();
    let verified = signed_entry.clone().verify(&devices).unwrap();
    (signed_entry, verified)
}

fn advance(
    membership: Option<Membership>,
    entry: &Verified<MembershipEntry>,
) -> Result<Membership, chat_core::membership::MembershipError> {
    let Some(mut membership) = membership else { return Membership::create(entry) };
    membership.apply(entry).map(|()| membership)
}

fn shown(author: u8, entry: &MembershipEntry, whole: &SignedEntry, after: &Membership) -> Value {
    let roles: Vec<_> = after
        .members()
        .map(|member| json!({ "account": hex(member.account.as_bytes()), "role": member.role }))
        .collect();
    json!({
        "change": entry.change,
        "entry": signed(&whole.entry, &spec::entry(entry), &Person::device_key(author)),
        "cbor": hex(to_bytes(whole)),
        "index_after": after.index(),
        "head_after": hex(after.head().as_bytes()),
        "members_after": roles,
    })
}

fn broken(
    title: &str,
    author: u8,
    entry: &MembershipEntry,
    whole: &SignedEntry,
    error: &str,
) -> Value {
    // The signature holds and the bytes are as specified; only the rules say no.
    signed(&whole.entry, &spec::entry(entry), &Person::device_key(author));
    json!({ "title": title, "cbor": hex(to_bytes(whole)), "error": error })
}

fn account(number: u8) -> AccountId {
    Person::new(number).account
}

fn add(number: u8, role: Role) -> Change {
    Change::Add { members: members(&[(number, role)]) }
}

fn role(number: u8, role: Role) -> Change {
    Change::SetRole { account: account(number), role }
}

fn members<const MAX: usize>(members: &[(u8, Role)]) -> List<Member, MAX> {
    let members =
        members.iter().map(|(number, role)| Member { account: account(*number), role: *role });
    List::new(members.collect()).unwrap()
}

fn creation(kind: ConversationKind, first: &[(u8, Role)]) -> Change {
    Change::Create {
        kind,
        workspace: WorkspaceId::from_bytes([0x77; 16]),
        members: members(first),
        policy: Policy { scheme: WrapScheme::Ratchet, ..Policy::DEFAULT },
        nonce: Bytes::new(vec![0x55; 16]).unwrap(),
        document: None,
    }
}
