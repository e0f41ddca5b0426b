//! Where do claims not fit a type, and what was expected there? Told without a word of the claims.
//!
//! serde_json's own message quotes the value that did not fit. This deserializer runs only after a plain one failed, and its
//! error holds nothing but what the *type* says: its fields, and what it expected.

use std::{any::type_name, fmt};

use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer as _, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::{Map, Value};

/// Why claims do not fit a type.
#[derive(Debug)]
pub(crate) struct Mismatch {
    target: &'static str,
    problem: Problem,
}

impl Mismatch {
    /// Finds the first place of `payload` that does not fit `T`.
    pub(crate) fn find<T: DeserializeOwned>(payload: &str) -> Self {
        let problem = match serde_json::from_str::<Value>(payload) {
            Ok(value) => match T::deserialize(Reader { value, fields: None }) {
                Err(problem) => problem,
                Ok(_) => Problem::default(),
            },
            // A number that serde_json cannot hold.
            Err(_) => Problem::default(),
        };
        Self { target: type_name::<T>(), problem }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the claims do not deserialize into `{}`: {}", self.target, self.problem)
    }
}

impl std::error::Error for Mismatch {}

/// What the type says about the place.
#[derive(Debug, Default)]
struct Problem {
    /// Innermost first.
    path: Vec<Step>,
    expected: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A field that the type names.
    Field(&'static str),
    /// A member whose name is the token's.
    Member,
    Index(usize),
}

impl Problem {
    fn expecting(expected: String) -> Self {
        Self { path: Vec::new(), expected: Some(expected) }
    }

    fn at(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("at `")?;
            for (place, step) in self.path.iter().rev().enumerate() {
                let dot = if place == 0 { "" } else { "." };
                match step {
                    Step::Field(name) => write!(f, "{dot}{name}")?,
                    Step::Member => write!(f, "{dot}*")?,
                    Step::Index(index) => write!(f, "[{index}]")?,
                }
            }
            f.write_str("`, ")?;
        }
        match &self.expected {
            Some(expected) => write!(f, "expected {expected}"),
            None => f.write_str("a value does not fit"),
        }
    }
}

impl std::error::Error for Problem {}

impl de::Error for Problem {
    /// A text of the type's own making may quote the value: it is dropped.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::default()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expecting(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expecting(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::expecting(expected.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expecting(format!("one of {expected:?}"))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::expecting(format!("no members but {expected:?}"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::expecting(format!("a member `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::expecting(format!("one member `{field}`"))
    }
}

/// Reads a value for a type, which names its fields where it is a struct.
struct Reader {
    value: Value,
    fields: Option<&'static [&'static str]>,
}

impl Reader {
    fn new(value: Value) -> Self {
        Self { value, fields: None }
    }
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::String(value) => visitor.visit_string(value),
            Value::Array(values) => visitor.visit_seq(Elements { values: values.into_iter(), next: 0 }),
            Value::Object(members) => visitor.visit_map(Members::new(members, self.fields)),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => visitor.visit_u64(value),
                (_, Some(value), _) => visitor.visit_i64(value),
                (.., value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        Self { value: self.value, fields: Some(fields) }.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        match self.value {
            Value::String(name) => visitor.visit_enum(Variant { name, value: None }),
            Value::Object(members) if members.len() == 1 => {
                let (name, value) = members.into_iter().next().unwrap_or_default();
                visitor.visit_enum(Variant { name, value: Some(value) })
            }
            _ => Err(Problem::expecting("a string or an object with one member".to_owned())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Elements {
    values: std::vec::IntoIter<Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let Some(value) = self.values.next() else { return Ok(None) };
        let index = self.next;
        self.next = index.saturating_add(1);
        seed.deserialize(Reader::new(value)).map(Some).map_err(|problem| problem.at(Step::Index(index)))
    }
}

struct Members {
    members: serde_json::map::IntoIter,
    fields: Option<&'static [&'static str]>,
    current: Option<(Step, Value)>,
}

impl Members {
    fn new(members: Map<String, Value>, fields: Option<&'static [&'static str]>) -> Self {
        Self { members: members.into_iter(), fields, current: None }
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Problem> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        let known = self.fields.unwrap_or_default().iter().find(|field| **field == name);
        let step = known.map_or(Step::Member, |field| Step::Field(field));
        self.current = Some((step, value));
        seed.deserialize(Reader::new(Value::String(name))).map(Some).map_err(|problem| problem.at(step))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Problem> {
        let (step, value) = self.current.take().unwrap_or((Step::Member, Value::Null));
        seed.deserialize(Reader::new(value)).map_err(|problem| problem.at(step))
    }
}

/// An enum's variant: its name, and what stands behind it.
struct Variant {
    name: String,
    value: Option<Value>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Problem;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content), Problem> {
        let name: StrDeserializer<'_, Problem> = self.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.value)))
    }
}

struct Content(Option<Value>);

impl<'de> VariantAccess<'de> for Content {
    type Error = Problem;

    fn unit_variant(self) -> Result<(), Problem> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(Problem::expecting("a variant without content".to_owned())),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Problem> {
        seed.deserialize(Reader::new(self.0.unwrap_or_default()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Problem> {
        Reader::new(self.0.unwrap_or_default()).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Problem> {
        Reader { value: self.0.unwrap_or_default(), fields: Some(fields) }.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it deserializes matters")]
    struct Claims {
        sub: String,
        tenant: Option<Tenant>,
        #[serde(default)]
        roles: Vec<Role>,
        #[serde(default)]
        limits: HashMap<String, u32>,
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it deserializes matters")]
    struct Tenant {
        number: u32,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it deserializes matters")]
    #[serde(rename_all = "snake_case")]
    enum Role {
        Reader,
        Owner { of: u8 },
    }

    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    struct Colour;

    impl TryFrom<String> for Colour {
        type Error = String;

        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("missing field `{text}`, expected {text}"))
        }
    }

    #[test]
    fn the_place_and_the_expectation_are_named_and_never_the_value() {
        for (claims, message) in [
            (r#"{"sub":5}"#, "at `sub`, expected a string"),
            (r#"{}"#, "expected a member `sub`"),
            (r#"{"sub":"s","tenant":{"number":"secret"}}"#, "at `tenant.number`, expected u32"),
            (r#"{"sub":"s","tenant":"secret"}"#, "at `tenant`, expected struct Tenant"),
            (
                r#"{"sub":"s","roles":["reader","secret"]}"#,
                "at `roles[1]`, expected one of [\"reader\", \"owner\"]",
            ),
            (r#"{"sub":"s","roles":[{"owner":{"of":300}}]}"#, "at `roles[0].of`, expected u8"),
            (r#"{"sub":"s","limits":{"secret":-1}}"#, "at `limits.*`, expected u32"),
            (r#"{"sub":"s","colour":"secret"}"#, "at `colour`, a value does not fit"),
        ] {
            let found = Mismatch::find::<Claims>(claims).to_string();
            assert!(found.ends_with(&format!("Claims`: {message}")), "{claims}: {found}");
            assert!(!format!("{:?}", Mismatch::find::<Claims>(claims)).contains("secret"));
        }
        let good =
            r#"{"sub":"s","tenant":{"number":1},"roles":["reader",{"owner":{"of":1}}],"limits":{"a":1}}"#;
        assert!(serde_json::from_str::<Claims>(good).is_ok());
        assert!(Claims::deserialize(Reader::new(serde_json::from_str(good).unwrap())).is_ok());
    }
}
