//! How the types of [`crate::codec`] describe themselves in JSON Schema; all others derive it.
//!
//! Bodies and frames say what they look like themselves, so the documents in `docs/api` cannot
//! differ from the code. Only the relay, which serves them, switches the feature `schema` on.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::codec::{Bytes, List};
use crate::signed::{SignedBytes, Unverified};

/// Unpadded base64url.
const BASE64URL: &str = "^[A-Za-z0-9_-]*$";

/// How many characters `bytes` bytes have in base64url.
const fn characters(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// An id, as it stands in JSON.
pub(crate) struct UuidText;

impl JsonSchema for UuidText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Uuid".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}

/// Exactly `length` bytes, as they stand in JSON.
pub(crate) fn fixed(length: usize, description: &str) -> Schema {
    let length = characters(length);
    json_schema!({
        "type": "string",
        "description": description.trim(),
        "contentEncoding": "base64url",
        "pattern": BASE64URL,
        "minLength": length,
        "maxLength": length,
    })
}

impl<const MAX: usize> JsonSchema for Bytes<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("BytesUpTo{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "contentEncoding": "base64url",
            "pattern": BASE64URL,
            "maxLength": characters(MAX),
        })
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListUpTo{MAX}Of{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "items": items, "maxItems": MAX })
    }
}

impl<T> JsonSchema for Unverified<T> {
    fn schema_name() -> Cow<'static, str> {
        SignedBytes::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        SignedBytes::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SignedBytes::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_part_of_what_a_type_says() {
        let text = schemars::schema_for!(List<Bytes<4>, 7>).to_value();

        assert_eq!(text["maxItems"], 7);
        assert_eq!(text["items"]["maxLength"], 6);
    }

    #[test]
    fn whatever_is_signed_looks_the_same() {
        let list = schemars::schema_for!(Unverified<crate::device::DeviceList>);
        let keys = schemars::schema_for!(Unverified<crate::envelope::EnvelopeKeys>);

        assert_eq!(list, keys);
    }
}
