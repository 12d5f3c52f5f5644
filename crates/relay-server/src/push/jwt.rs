//! JSON Web Tokens (RFC 7515, RFC 7519) by which push services know the relay: ES256 for Apple, RS256
//! for Google.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// A key that signs tokens.
pub enum SigningKey {
    /// ECDSA on P-256 with SHA-256.
    Es256(EcdsaKeyPair),
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256(Box<RsaKeyPair>),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl SigningKey {
    /// Reads a P-256 key in PKCS #8 as PEM; nothing if it is none.
    #[must_use]
    pub fn es256(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der()).ok()?;
        Some(Self::Es256(pair))
    }

    /// Reads an RSA key in PKCS #8 as PEM; nothing if it is none.
    #[must_use]
    pub fn rs256(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        Some(Self::Rs256(Box::new(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?)))
    }

    /// The public half, as its algorithm writes it.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        match self {
            Self::Es256(pair) => pair.public_key().as_ref(),
            Self::Rs256(pair) => pair.public_key().as_ref(),
        }
    }

    /// Signs `claims`, naming the key; nothing if the generator fails.
    #[must_use]
    pub fn token(&self, key_id: &str, claims: &Value) -> Option<String> {
        let algorithm = match self {
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        };
        let header = json!({ "alg": algorithm, "typ": "JWT", "kid": key_id });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let rng = SystemRandom::new();
        let signature = match self {
            Self::Es256(pair) => pair.sign(&rng, signed.as_bytes()).ok()?.as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &rng, signed.as_bytes(), &mut signature).ok()?;
                signature
            }
        };
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
