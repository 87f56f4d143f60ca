//! Reads BTF, the kernel's own description of its types.
//!
//! The format is that of `include/uapi/linux/btf.h`. One pass over the bytes checks the bounds of
//! every record, and reports the named structs, enums, typedefs and functions. After that, single
//! types can be looked up. Nothing is allocated per type: the reader keeps the position of every
//! 32nd record, and reads the few records after it again. A vmlinux of 5.5 MB takes a few
//! milliseconds, and 20 KB of memory in addition to its bytes.
//!
//! For any bytes the result is a value or a [`BtfError`]: no panic, no unbounded work.

mod error;
mod types;

use std::cell::Cell;

pub use error::{BtfError, MAGIC};
use error::{MAX_DEPTH, MAX_STEPS};
pub use types::{Member, Type, kind};

/// Number of types for each position that is kept.
const STRIDE: u32 = 32;

/// BTF whose records all lie within their bounds.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    layout: &'a [u8],
    positions: Vec<u32>,
    last: u32,
    steps: Cell<u32>,
}

impl<'a> Btf<'a> {
    /// Checks `bytes` in one pass and calls `named(kind, name, id)` for each struct, enum,
    /// typedef and function that has a name.
    ///
    /// # Errors
    ///
    /// Any [`BtfError`] except `TypeId`, `TooDeep` and `TooComplex`.
    pub fn parse(
        bytes: &'a [u8],
        mut named: impl FnMut(u8, &'a [u8], u32),
    ) -> Result<Self, BtfError> {
        const HEADER: usize = 24;
        let too_short = BtfError::TooShort { len: bytes.len() };
        let magic = bytes
            .first_chunk::<2>()
            .map(|b| u16::from_ne_bytes(*b))
            .ok_or(too_short)?;
        if magic == MAGIC.swap_bytes() {
            return Err(BtfError::ByteOrder);
        }
        if magic != MAGIC {
            return Err(BtfError::Magic { magic });
        }
        let field = |at| word(bytes, at).ok_or(BtfError::TooShort { len: bytes.len() });
        let (header_len, type_off, type_len) = (field(4)?, field(8)?, field(12)?);
        let (str_off, str_len) = (field(16)?, field(20)?);
        let version = bytes.get(2).copied().unwrap_or_default();
        if version != 1 {
            return Err(BtfError::Version { version });
        }
        if (header_len as usize) < HEADER || header_len as usize > bytes.len() {
            return Err(BtfError::HeaderLength {
                header: header_len,
                len: bytes.len(),
            });
        }
        let section = |name, offset: u32, len: u32| {
            let start = u64::from(header_len) + u64::from(offset);
            let range = usize::try_from(start)
                .ok()
                .zip(usize::try_from(start + u64::from(len)).ok())
                .and_then(|(start, end)| bytes.get(start..end));
            range.ok_or(BtfError::Section {
                section: name,
                offset,
                len,
            })
        };
        // The layout section has the lengths of all kinds, new ones too; older kernels lack it.
        let (layout_off, layout_len) = if header_len >= 32 {
            (field(24)?, field(28)?)
        } else {
            (0, 0)
        };
        let mut btf = Self {
            types: section("type", type_off, type_len)?,
            strings: section("string", str_off, str_len)?,
            layout: section("layout", layout_off, layout_len)?,
            positions: Vec::new(),
            last: 0,
            steps: Cell::new(0),
        };

        let mut at = 0;
        while at < btf.types.len() {
            if btf.last.is_multiple_of(STRIDE) {
                // A section is at most u32::MAX long, so the position fits.
                btf.positions.push(at as u32);
            }
            let id = btf.last + 1;
            let (ty, next) = btf.record(at, id)?;
            btf.last = id;
            at = next;
            if matches!(
                ty.kind(),
                kind::STRUCT | kind::ENUM | kind::TYPEDEF | kind::FUNC
            ) && ty.name != 0
            {
                named(ty.kind(), btf.name(ty.name)?, id);
            }
        }
        Ok(btf)
    }

    /// Number of types. It is also the id of the last type, as ids begin with 1.
    pub fn len(&self) -> u32 {
        self.last
    }

    /// Whether there are no types.
    pub fn is_empty(&self) -> bool {
        self.last == 0
    }

    /// The type with this id.
    ///
    /// # Errors
    ///
    /// [`BtfError::TypeId`] for 0 (`void`) and for ids past the last; [`BtfError::TooComplex`]
    /// after too many look-ups.
    pub fn get(&self, id: u32) -> Result<Type<'a>, BtfError> {
        let no_such = BtfError::TypeId {
            id,
            last: self.last,
        };
        if id == 0 || id > self.last {
            return Err(no_such);
        }
        let block = (id - 1) / STRIDE;
        let mut at = *self.positions.get(block as usize).ok_or(no_such)? as usize;
        let mut current = block * STRIDE + 1;
        loop {
            self.step()?;
            let (ty, next) = self.record(at, current)?;
            if current == id {
                return Ok(ty);
            }
            at = next;
            current += 1;
        }
    }

    /// The type behind typedefs and qualifiers.
    ///
    /// # Errors
    ///
    /// [`BtfError::TooDeep`] if they form a cycle; otherwise as [`Btf::get`].
    pub fn unqualified(&self, mut id: u32) -> Result<(u32, Type<'a>), BtfError> {
        for _ in 0..MAX_DEPTH {
            let ty = self.get(id)?;
            match ty.kind() {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = ty.size_or_type
                }
                _ => return Ok((id, ty)),
            }
        }
        Err(BtfError::TooDeep { id })
    }

    /// Size in bytes of a value of this type; `None` for a type without a size, such as a function.
    ///
    /// # Errors
    ///
    /// As [`Btf::unqualified`].
    pub fn size_of(&self, mut id: u32) -> Result<Option<u64>, BtfError> {
        let mut count: u64 = 1;
        for _ in 0..MAX_DEPTH {
            let ty = self.unqualified(id)?.1;
            let one = match ty.kind() {
                kind::PTR => size_of::<usize>() as u64,
                kind::ARRAY => {
                    let (element, len) = (word(ty.body, 0), word(ty.body, 8));
                    let (Some(element), Some(len)) = (element, len) else {
                        return Err(BtfError::Truncated { id });
                    };
                    count = count.saturating_mul(len.into());
                    id = element;
                    continue;
                }
                kind::INT
                | kind::STRUCT
                | kind::UNION
                | kind::ENUM
                | kind::FLOAT
                | kind::ENUM64 => ty.size_or_type.into(),
                _ => return Ok(None),
            };
            return Ok(Some(count.saturating_mul(one)));
        }
        Err(BtfError::TooDeep { id })
    }

    /// Finds the member at a dotted path, such as `ns.inum`, in the struct or union with this id.
    /// Members of anonymous structs and unions inside it count as its own, as in C.
    ///
    /// # Errors
    ///
    /// Those of broken types in the path. For a member that does not exist the result is `None`.
    pub fn member(&self, mut id: u32, path: &str) -> Result<Option<Member>, BtfError> {
        let mut found: Option<Member> = None;
        for part in path.split('.') {
            let base = match found {
                None => 0,
                Some(member) => {
                    id = self.unqualified(member.type_id)?.0;
                    member.bits
                }
            };
            found = self.direct_member(id, part.as_bytes(), base, 0)?;
            if found.is_none() {
                return Ok(None);
            }
        }
        Ok(found)
    }

    /// The value of this name in the enum with this id.
    ///
    /// # Errors
    ///
    /// Those of broken types. For a name that does not exist the result is `None`.
    pub fn enumerator(&self, id: u32, wanted: &str) -> Result<Option<u32>, BtfError> {
        for record in self.get(id)?.body.chunks_exact(8) {
            self.step()?;
            let (Some(name), value) = (word(record, 0), word(record, 4)) else {
                continue;
            };
            if self.name(name)? == wanted.as_bytes() {
                return Ok(value);
            }
        }
        Ok(None)
    }

    fn direct_member(
        &self,
        id: u32,
        wanted: &[u8],
        base: u64,
        depth: u32,
    ) -> Result<Option<Member>, BtfError> {
        if depth == MAX_DEPTH {
            return Err(BtfError::TooDeep { id });
        }
        let ty = self.get(id)?;
        if !matches!(ty.kind(), kind::STRUCT | kind::UNION) {
            return Ok(None);
        }
        for record in ty.body.chunks_exact(12) {
            self.step()?;
            let words = (word(record, 0), word(record, 4), word(record, 8));
            let (Some(name), Some(type_id), Some(offset)) = words else {
                continue;
            };
            let (offset, bit_field) = if ty.kind_flag() {
                (offset & 0x00ff_ffff, (offset >> 24) as u8)
            } else {
                (offset, 0)
            };
            let bits = base.saturating_add(offset.into());
            if name == 0 {
                let (inner, inner_ty) = self.unqualified(type_id)?;
                if matches!(inner_ty.kind(), kind::STRUCT | kind::UNION)
                    && let Some(found) = self.direct_member(inner, wanted, bits, depth + 1)?
                {
                    return Ok(Some(found));
                }
            } else if self.name(name)? == wanted {
                return Ok(Some(Member {
                    bits,
                    bit_field,
                    type_id,
                }));
            }
        }
        Ok(None)
    }

    /// The record at `at`, and the position of the next one.
    fn record(&self, at: usize, id: u32) -> Result<(Type<'a>, usize), BtfError> {
        let truncated = BtfError::Truncated { id };
        let rest = self.types.get(at..).unwrap_or_default();
        let (Some(name), Some(info), Some(size_or_type)) =
            (word(rest, 0), word(rest, 4), word(rest, 8))
        else {
            return Err(truncated);
        };
        let mut ty = Type {
            name,
            info,
            size_or_type,
            body: &[],
        };
        let len = self.body_len(&ty).ok_or(BtfError::UnknownKind {
            id,
            kind: ty.kind(),
        })?;
        // vlen has 24 bits and an element at most 255 bytes, so neither sum can overflow.
        ty.body = rest.get(12..12 + len).ok_or(truncated)?;
        Ok((ty, at + 12 + len))
    }

    /// Number of bytes after the fixed part of a record.
    fn body_len(&self, ty: &Type<'_>) -> Option<usize> {
        Some(match ty.kind() {
            kind::PTR
            | kind::FWD
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::FUNC
            | kind::FLOAT
            | kind::TYPE_TAG => 0,
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::ENUM | kind::FUNC_PROTO => 8 * ty.vlen(),
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * ty.vlen(),
            // `struct btf_layout { __u8 info_sz; __u8 elem_sz; __u16 flags; }`, one per kind.
            other => match self.layout.chunks_exact(4).nth(other.into()) {
                Some([info, element, ..]) if other != 0 => {
                    usize::from(*info) + usize::from(*element) * ty.vlen()
                }
                _ => return None,
            },
        })
    }

    fn name(&self, offset: u32) -> Result<&'a [u8], BtfError> {
        let outside = BtfError::Name { offset };
        let rest = self.strings.get(offset as usize..).ok_or(outside.clone())?;
        let end = rest.iter().position(|&byte| byte == 0).ok_or(outside)?;
        Ok(&rest[..end])
    }

    fn step(&self) -> Result<(), BtfError> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            Err(BtfError::TooComplex)
        } else {
            Ok(())
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk::<4>()
        .map(|b| u32::from_ne_bytes(*b))
}
