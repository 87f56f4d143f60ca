//! The kernel's fields as `--format json` lists them, for comparison with pahole's.

use exectrail_common::offsets::ABSENT;
use serde::Serialize;

use crate::{
    missing::Missing,
    offsets::{self, Resolved},
};

/// The offset of a field that the probes read, or the size of a struct, in the running kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Name of the struct.
    #[serde(rename = "struct")]
    pub strukt: &'static str,
    /// Name of the member, a dotted path if it is inside another member. `None` for a size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<&'static str>,
    /// The value.
    #[serde(flatten)]
    pub value: FieldValue,
}

/// Value of a field; `None` if this kernel lacks the field, or has it in a form that the probes do
/// not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// Offset of the member in the struct, in bytes.
    Offset(Option<u32>),
    /// Size of the struct, in bytes.
    Size(Option<u32>),
}

/// All fields that were looked up, in the order of `offsets.rs`.
pub(crate) fn all(resolved: &Resolved) -> Vec<Field> {
    let is_missing = |strukt: &str, member: Option<&str>| {
        resolved.missing.iter().any(|missing| match missing {
            Missing::Struct { strukt: of } => *of == strukt,
            Missing::Field {
                strukt: of,
                member: name,
            }
            | Missing::Size {
                strukt: of,
                member: name,
                ..
            }
            | Missing::Position {
                strukt: of,
                member: name,
                ..
            } => *of == strukt && Some(*name) == member,
            Missing::Tracepoint { .. } => false,
        })
    };
    let named = offsets::named(&resolved.offsets);
    named
        .map(|(strukt, member, value)| {
            let known = value != ABSENT && !is_missing(strukt, member);
            let value = known.then_some(value);
            Field {
                strukt,
                member: member.map(|member| spelling(resolved, strukt, member)),
                value: match member {
                    Some(_) => FieldValue::Offset(value),
                    None => FieldValue::Size(value),
                },
            }
        })
        .collect()
}

/// The member's name in this kernel. If a member can have several names, and this kernel has none
/// of them, this is the first of the names.
fn spelling(resolved: &Resolved, strukt: &str, member: &'static str) -> &'static str {
    let mut names = member.split('|');
    let known = |name: &&str| resolved.spellings.contains(&(strukt, *name));
    let first = names.clone().next().unwrap_or(member);
    names.find(known).unwrap_or(first)
}
