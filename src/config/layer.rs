//! A layer of values with their origins, and the layers merged by figment.

use std::collections::BTreeMap;

use figment::providers::Serialized;
use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::error::{ConfigError, Origin};
use super::raw::RawConfig;
use super::schema::Key;

/// What one source sets: values by section and key, and where each stands.
///
/// Origins are kept by dotted key; those of list entries as `sync.ignore[2]`, of parts as `log.levels.http`.
#[derive(Default)]
pub(super) struct Layer {
    /// The name of the source, for figment's metadata.
    pub(super) name: String,
    values: BTreeMap<&'static str, Dict>,
    origins: BTreeMap<String, Origin>,
}

impl Layer {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets `key`. A table is merged into the one that is there.
    pub(super) fn set(&mut self, key: &Key, value: Value, origin: Origin) {
        let dotted = key.dotted();
        let section = self.values.entry(key.section).or_default();
        match (section.get_mut(key.name), value) {
            (Some(Value::Dict(_, old)), Value::Dict(_, new)) => old.extend(new),
            (_, value) => {
                section.insert(key.name.to_owned(), value);
            }
        }
        self.origins.insert(dotted, origin);
    }

    /// Notes where a part of a value stands: a list's entry, a table's key.
    pub(super) fn note(&mut self, part: String, origin: Origin) {
        self.origins.insert(part, origin);
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let section =
            |(name, keys): (&&str, &Dict)| ((*name).to_owned(), Value::Dict(Tag::Default, keys.clone()));
        Ok(Map::from([(Profile::Default, self.values.iter().map(section).collect())]))
    }
}

/// The merged values and where each came from. Holds secrets in clear, hence no `Debug`.
pub struct Effective {
    figment: Figment,
    origins: BTreeMap<String, Origin>,
}

impl Effective {
    /// Merges `layers`, later ones over earlier ones and all of them over the defaults.
    pub(super) fn merge(layers: impl IntoIterator<Item = Layer>) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Serialized::defaults(RawConfig::default()));
        let mut origins: BTreeMap<String, Origin> = BTreeMap::new();
        for layer in layers {
            // A list that is set again replaces the one below it, so its entries' lines go with it.
            for key in layer.origins.keys().filter(|key| !key.contains('[')) {
                origins.retain(|known, _| !known.starts_with(&format!("{key}[")));
            }
            figment = figment.merge(&layer);
            origins.extend(layer.origins);
        }
        Ok(Self { figment, origins })
    }

    /// The merged configuration, as written.
    pub fn raw(&self) -> Result<RawConfig, ConfigError> {
        // Every layer was checked against the schema, so this cannot fail for anything that a user wrote.
        self.figment.extract().map_err(|error| {
            let path = error.path.join(".");
            ConfigError::Merge(format!("{path}: {}", error.kind))
        })
    }

    /// The merged value of `key`.
    pub fn value(&self, key: &Key) -> Result<Value, ConfigError> {
        let dotted = key.dotted();
        self.figment
            .find_value(&dotted)
            .map_err(|error| ConfigError::Merge(format!("{dotted}: {}", error.kind)))
    }

    /// Where the value of `key`, or the part `key[2]` or `key.part` of one, came from.
    pub fn origin(&self, key: &str) -> Origin {
        let whole = key.split('[').next().unwrap_or(key);
        self.origins.get(key).or_else(|| self.origins.get(whole)).cloned().unwrap_or(Origin::Default)
    }
}
