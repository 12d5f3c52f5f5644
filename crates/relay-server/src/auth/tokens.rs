//! Access tokens: EdDSA JWTs (RFC 9068, RFC 8037) that say which device speaks, for 15 minutes.
//!
//! ```text
//!  header  {"typ":"at+jwt","alg":"EdDSA","kid":"1-683"}
//!  claims  {iss, aud, sub: account, did: device, sid: family, scope, iat, nbf, exp, jti}
//! ```
//!
//! `alg` is EdDSA and nothing else, the key comes from the ring and never from the token, and only
//! the relay's clock counts. A token of scope `enrol` names no device: it reads the keyring and
//! enrols one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_core::id::{AccountId, DeviceAddress, DeviceId};
use chat_core::limits::ACCESS_TOKEN_LIFETIME;
use chat_core::reject::RejectCode;
use chat_core::time::Timestamp;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

use super::keys::{KeyRing, TokenKey};
use crate::storage::FamilyId;

const TYPE: &str = "at+jwt";
const AUDIENCE: &str = "sealwire";
/// Clocks of nodes may differ by this much.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a token allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    Device,
    Enrol,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: AccountId,
    did: Option<DeviceId>,
    sid: Option<String>,
    scope: Scope,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
}

/// Who a token speaks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bearer {
    /// A device, logged in.
    Device {
        /// Which.
        address: DeviceAddress,
        /// The refresh tokens it came with.
        family: FamilyId,
    },
    /// Somebody who knows the account's password and has no device yet.
    Enrolling(AccountId),
}

/// An access token, and how long it is good for.
pub struct Access {
    /// The token.
    pub token: String,
    /// When it runs out.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Makes and checks access tokens.
#[derive(Debug)]
pub struct Tokens {
    ring: KeyRing,
    issuer: String,
}

impl Tokens {
    /// Signs as `issuer`, the relay's origin.
    #[must_use]
    pub fn new(ring: KeyRing, issuer: String) -> Self {
        Self { ring, issuer }
    }

    /// A token for a device or an enrolment; `None` only if the key ring is broken.
    #[must_use]
    pub fn issue(&self, bearer: Bearer, now: Timestamp) -> Option<Access> {
        let expires_at = now.after(ACCESS_TOKEN_LIFETIME);
        let (sub, did, sid, scope) = match bearer {
            Bearer::Device { address, family } => (
                address.account,
                Some(address.device),
                Some(URL_SAFE_NO_PAD.encode(family.as_bytes())),
                Scope::Device,
            ),
            Bearer::Enrolling(account) => (account, None, None, Scope::Enrol),
        };
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub,
            did,
            sid,
            scope,
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(expires_at),
            jti: URL_SAFE_NO_PAD.encode(crate::random::bytes::<16>()),
        };
        let key = self.ring.signing(now);
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id().to_owned());
        let token = jsonwebtoken::encode(&header, &claims, &key.encoding()).ok()?;
        Some(Access { token, expires_at })
    }

    /// The name of the key that signs at `now`.
    #[must_use]
    pub fn key_id(&self, now: Timestamp) -> String {
        self.ring.signing(now).id().to_owned()
    }

    /// Checks a token.
    ///
    /// # Errors
    ///
    /// [`RejectCode::TokenExpired`], [`RejectCode::TokenInvalid`] for everything else.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Bearer, RejectCode> {
        let invalid = RejectCode::TokenInvalid;
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid)?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(TYPE) {
            return Err(invalid);
        }
        let valid = self.ring.valid(now);
        let named = |key: &&TokenKey| header.kid.as_deref() == Some(key.id());
        let key = valid.iter().find(named).ok_or(invalid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding(), &self.validation())
            .map_err(|_| invalid)?
            .claims;
        let leeway = LEEWAY.as_secs();
        if seconds(now) > claims.exp.saturating_add(leeway) {
            return Err(RejectCode::TokenExpired);
        }
        if seconds(now).saturating_add(leeway) < claims.nbf {
            return Err(invalid);
        }
        match (claims.scope, claims.did, claims.sid) {
            (Scope::Device, Some(device), Some(sid)) => Ok(Bearer::Device {
                address: DeviceAddress { account: claims.sub, device },
                family: family(&sid).ok_or(invalid)?,
            }),
            (Scope::Enrol, None, None) => Ok(Bearer::Enrolling(claims.sub)),
            _ => Err(invalid),
        }
    }

    /// The library checks signature, issuer and audience; the times are checked by our own clock.
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation
    }

    /// The public keys that are good at `now`, as a JWK set (RFC 7517, RFC 8037).
    #[must_use]
    pub fn key_set(&self, now: Timestamp) -> serde_json::Value {
        let keys: Vec<_> = self
            .ring
            .valid(now)
            .iter()
            .map(|key| {
                serde_json::json!({
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "use": "sig",
                    "alg": "EdDSA",
                    "kid": key.id(),
                    "x": URL_SAFE_NO_PAD.encode(key.public()),
                })
            })
            .collect();
        serde_json::json!({ "keys": keys })
    }
}

fn seconds(moment: Timestamp) -> u64 {
    moment.as_millis() / 1_000
}

fn family(sid: &str) -> Option<FamilyId> {
    let bytes = URL_SAFE_NO_PAD.decode(sid).ok()?;
    Some(FamilyId::from_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const BEARER: Bearer = Bearer::Device {
        address: DeviceAddress {
            account: AccountId::from_bytes([1; 16]),
            device: DeviceId::from_bytes([2; 16]),
        },
        family: FamilyId::from_bytes([3; 16]),
    };

    fn tokens(secret: u8, issuer: &str) -> Tokens {
        Tokens::new(KeyRing::new(Zeroizing::new(vec![secret; 32]), 1), issuer.to_owned())
    }

    fn issue(bearer: Bearer) -> String {
        tokens(1, "https://relay").issue(bearer, NOW).unwrap().token
    }

    #[test]
    fn a_token_says_who_it_speaks_for() {
        let enrolling = Bearer::Enrolling(AccountId::from_bytes([9; 16]));

        assert_eq!(tokens(1, "https://relay").check(&issue(BEARER), NOW), Ok(BEARER));
        assert_eq!(tokens(1, "https://relay").check(&issue(enrolling), NOW), Ok(enrolling));
    }

    #[test]
    fn a_token_expires_after_its_time_and_the_leeway() {
        let tokens = tokens(1, "https://relay");
        let end = NOW.after(ACCESS_TOKEN_LIFETIME).after(LEEWAY);

        assert_eq!(tokens.check(&issue(BEARER), end), Ok(BEARER));
        let after = end.after(Duration::from_secs(1));
        assert_eq!(tokens.check(&issue(BEARER), after), Err(RejectCode::TokenExpired));
    }

    #[test]
    fn a_token_from_the_future_is_invalid() {
        let early = Timestamp::from_millis(NOW.as_millis() - 61_000);

        let checked = tokens(1, "https://relay").check(&issue(BEARER), early);

        assert_eq!(checked, Err(RejectCode::TokenInvalid));
    }

    #[test]
    fn another_relays_token_is_invalid() {
        let token = issue(BEARER);

        assert_eq!(tokens(2, "https://relay").check(&token, NOW), Err(RejectCode::TokenInvalid));
        assert_eq!(tokens(1, "https://other").check(&token, NOW), Err(RejectCode::TokenInvalid));
    }

    #[test]
    fn a_token_without_a_signature_or_of_another_algorithm_is_invalid() {
        let tokens = tokens(1, "https://relay");
        let token = issue(BEARER);
        let [_, claims, _] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let public = tokens.ring.signing(NOW).public();
        let hmac = {
            let mut header = Header::new(Algorithm::HS256);
            header.typ = Some(TYPE.to_owned());
            header.kid = Some(tokens.ring.signing(NOW).id().to_owned());
            let claims: serde_json::Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
            // The classic confusion: the public key as an HMAC secret.
            let key = jsonwebtoken::EncodingKey::from_secret(&public);
            jsonwebtoken::encode(&header, &claims, &key).unwrap()
        };
        let none = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(br#"{"alg":"none"}"#));

        for forged in [hmac, none, String::new(), "a.b.c".to_owned()] {
            assert_eq!(tokens.check(&forged, NOW), Err(RejectCode::TokenInvalid));
        }
    }

    #[test]
    fn the_published_keys_hold_the_one_that_signs() {
        let token = issue(BEARER);
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();

        let published = tokens(1, "https://relay").key_set(NOW);

        let ids: Vec<_> = published["keys"].as_array().unwrap().iter().map(|k| &k["kid"]).collect();
        assert!(ids.len() >= 2 && ids.contains(&&serde_json::Value::from(kid)));
    }
}
