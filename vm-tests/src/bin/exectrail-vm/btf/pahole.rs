//! Offsets as pahole reads them from BTF. pahole is an independent reader: it locates each member
//! itself.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, Result, bail};

/// Structs by their names.
#[derive(Debug, Default)]
pub(super) struct Structs(BTreeMap<String, Struct>);

#[derive(Debug, Default)]
struct Struct {
    size: Option<u32>,
    members: Vec<Member>,
}

/// A member of a struct, or of an anonymous struct or union in it.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    name: String,
    /// Name of the member's struct type, if it is a struct.
    strukt: Option<String>,
    offset: u32,
}

impl Structs {
    /// Runs pahole to print these structs of a file with BTF.
    pub(super) fn read(file: &Path, names: &[&str]) -> Result<Self> {
        let output = Command::new("pahole")
            .args(["-F", "btf", "-C", &names.join(",")])
            .arg(file)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .context("cannot start pahole; `cargo xtask setup --tests` installs it")?;
        let text = String::from_utf8_lossy(&output.stdout);
        // pahole's exit status does not show that a struct is missing.
        if text.trim().is_empty() {
            bail!(
                "pahole reads nothing: {}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Self::parse(&text)
    }

    /// Parses pahole's output.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut structs = Self::default();
        let mut open: Vec<(String, Struct)> = Vec::new();
        for line in text.lines().map(str::trim) {
            let (code, comment) = line.split_once("/*").unwrap_or((line, ""));
            let code = without_attributes(code.trim());
            if let Some(head) = code.strip_suffix('{') {
                let name = head.trim().strip_prefix("struct ").unwrap_or_default();
                open.push((name.to_owned(), Struct::default()));
            } else if let Some(rest) = code.strip_prefix('}') {
                let (name, inner) = open.pop().context("pahole closes what is not open")?;
                let Some((_, outer)) = open.last_mut() else {
                    structs.0.entry(name).or_insert(inner);
                    continue;
                };
                match member(rest, comment) {
                    Some(member) => outer.members.push(member),
                    None => outer.members.extend(inner.members),
                }
            } else if let Some((_, strukt)) = open.last_mut() {
                if let Some(size) = comment.trim().strip_prefix("size: ") {
                    let digits = size.split(',').next().unwrap_or_default();
                    strukt.size = Some(digits.trim_end_matches("*/").trim().parse()?);
                }
                strukt.members.extend(member(&code, comment));
            }
        }
        Ok(structs)
    }

    /// Size of a struct.
    pub(super) fn size(&self, strukt: &str) -> Option<u32> {
        self.0.get(strukt)?.size
    }

    /// Offset of a member by its dotted path.
    pub(super) fn offset(&self, strukt: &str, path: &str) -> Option<u32> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let members = &self.0.get(strukt)?.members;
        let member = members.iter().find(|member| member.name == first)?;
        match rest {
            Some(rest) => Some(member.offset + self.offset(member.strukt.as_ref()?, rest)?),
            None => Some(member.offset),
        }
    }
}

/// Reads a line of pahole. Its code is, for example, `struct ns_common           ns;`. Its comment
/// has the offset and the size, for example `   144    40 */`. `None` if the line names no member.
fn member(code: &str, comment: &str) -> Option<Member> {
    let declared = code.trim().strip_suffix(';')?.trim();
    let name = match declared.split_once("(*") {
        // A pointer to a function: `int (*name)(…)`.
        Some((_, rest)) => rest.split(')').next()?,
        None => {
            let whole = declared.split(['[', ':']).next()?.trim_end();
            whole.rsplit([' ', '*', '\t']).next()?
        }
    };
    let words: Vec<&str> = declared.split_whitespace().collect();
    let strukt = match words[..] {
        ["struct", strukt, name] | ["const", "struct", strukt, name] if !name.starts_with('*') => {
            Some(strukt.to_owned())
        }
        _ => None,
    };
    // A bit field has `offset: bit size`.
    let offset = comment.split_whitespace().next()?.trim_end_matches(':');
    (!name.is_empty()).then_some(Member {
        name: name.to_owned(),
        strukt,
        offset: offset.parse().ok()?,
    })
}

fn without_attributes(code: &str) -> String {
    match code.split_once("__attribute__") {
        Some((before, _)) if code.ends_with(';') => format!("{};", before.trim_end()),
        Some((before, _)) => before.trim_end().to_owned(),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
struct outer {
	struct inner               in __attribute__((__aligned__(8))); /*     0    16 */
	/* --- cacheline 1 boundary (64 bytes) --- */
	union {
		struct {
			struct {
			} __empty_list;                  /*    16     0 */
			struct outer * list[0];          /*    16     0 */
		};                                       /*    16     0 */
		long int           other;                /*    16     8 */
	};                                               /*    16     8 */
	struct {
		int                hidden;               /*    24     4 */
	} named;                                         /*    24     4 */
	unsigned int               bit:1;                /*    28: 0  4 */
	const struct inner         fixed;                /*    28    16 */

	/* XXX 3 bytes hole, try to pack */

	int                        (*call)(struct outer *, int); /*    32     8 */

	/* size: 40, cachelines: 1, members: 6 */
} __attribute__((__aligned__(8)));
struct inner {
	int                        a;                    /*     0     4 */
	char                       comm[16];             /*     4    16 */

	/* size: 20, cachelines: 1, members: 2 */
};
";

    #[test]
    fn members_are_where_pahole_says() {
        let structs = Structs::parse(PRINTED).unwrap();
        let outer = |path| structs.offset("outer", path);
        assert_eq!(outer("in"), Some(0));
        assert_eq!(outer("in.comm"), Some(4));
        assert_eq!(outer("list"), Some(16));
        assert_eq!(outer("other"), Some(16));
        assert_eq!(outer("named"), Some(24));
        assert_eq!(outer("hidden"), None);
        assert_eq!(outer("bit"), Some(28));
        assert_eq!(outer("call"), Some(32));
        assert_eq!(outer("fixed.comm"), Some(32));
        assert_eq!(outer("list.list"), None);
        assert_eq!(structs.offset("nosuch", "a"), None);
        assert_eq!(structs.size("inner"), Some(20));
        assert_eq!(structs.size("nosuch"), None);
    }
}
