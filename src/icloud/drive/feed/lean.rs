//! Answers of the feed, without what nobody reads: they are verbose, and a tree of all that an answer holds would take a hundred times
//! its bytes.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The members that are read.
const READ: [&str; 17] = [
    "zones",
    "zoneID",
    "zoneName",
    "ownerRecordName",
    "syncToken",
    "moreComing",
    "serverErrorCode",
    "records",
    "recordName",
    "recordChangeTag",
    "deleted",
    "fields",
    "parent",
    "value",
    "encryptedBasename",
    "bounceNo",
    "extension",
];
/// Read as well, and only whether it is there.
const THERE: &str = "restorePath";
/// The members that may be lists; others count as empty.
const LISTS: [&str; 2] = ["zones", "records"];
/// An answer that holds more objects and entries of lists than these is not understood. A page of 200 records has some 2,300.
const MOST: u32 = 20_000;

/// Reads an answer; `Err` where it is no JSON, or too much.
pub(super) fn read(body: &[u8]) -> Result<Value, ()> {
    let left = Cell::new(MOST);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = Lean { is_list: false, left: &left }.deserialize(&mut reader).map_err(drop)?;
    reader.end().map_err(drop)?;
    Ok(value)
}

/// One value.
#[derive(Clone, Copy)]
struct Lean<'a> {
    /// A list is kept.
    is_list: bool,
    /// So many more objects and entries are.
    left: &'a Cell<u32>,
}

impl Lean<'_> {
    fn one_more<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom("too much"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Lean<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Lean<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        if !self.is_list {
            while entries.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Array(list));
        }
        while let Some(entry) = entries.next_element_seed(Lean { is_list: false, ..self })? {
            self.one_more()?;
            list.push(entry);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.one_more()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == THERE || READ.contains(&name.as_str()) {
                let is_list = LISTS.contains(&name.as_str());
                let value = members.next_value_seed(Lean { is_list, ..self })?;
                object.insert(name, value);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out_and_too_much_is_not_understood() {
        let told = json!({
            "syncToken": 17, "moreComing": "false", "epoch": {"zones": [1]}, "padding": [[], {"": 0}],
            "zones": [{"zoneID": {"zoneName": "z", "zoneType": "t"}, "records": [
                {"recordName": "directory/A", "fields": {"restorePath": {"value": ""}, "writable": {"value": "x"}}},
                17, null, [1, 2],
            ]}],
        });
        let read_as = json!({
            "syncToken": 17, "moreComing": "false",
            "zones": [{"zoneID": {"zoneName": "z"}, "records": [
                {"recordName": "directory/A", "fields": {"restorePath": {"value": ""}}}, 17, null, [],
            ]}],
        });
        assert_eq!(read(told.to_string().as_bytes()), Ok(read_as));
        for text in ["", "{", "{} x", "{\"zones\": [}", "\u{0}"] {
            assert_eq!(read(text.as_bytes()), Err(()), "{text:?}");
        }
        let many = |inner: Value| json!({"zones": vec![inner; MOST as usize]}).to_string();
        assert_eq!(read(many(json!({})).as_bytes()), Err(()));
        assert!(read(many(json!(0)).replace("zones", "other").as_bytes()).is_ok());
        assert!(read("[".repeat(1 << 20).as_bytes()).is_err());
    }
}
