//! The configuration of suppression, set before the probes are attached, and its counts.

use aya::{
    Ebpf, Pod,
    maps::{HashMap, LpmTrie, MapData, MapError, PerCpuArray, lpm_trie::Key},
};
use bytemuck::cast;
use exectrail_common::{
    record::COMM_LEN,
    suppression::{
        Bucket, FILENAME_WINDOW, MAX_RULES, Matched, SHARED_BUCKET, SUFFIX_WINDOW, Suppressed,
    },
};

use exectrail_common::map_names;

use super::{
    error::AttachError,
    map::{take, with_map},
};
use crate::suppression::{
    Cause, SuppressionPolicy,
    rules::{Entry, Field},
    totals::Tally,
};

/// Number of 64-bit words in a value of the map `SUPPRESSED`, which has a [`Suppressed`] for each
/// rule.
const RULES_WORDS: usize = size_of::<[Suppressed; MAX_RULES]>() / 8;

/// The probes' counts of suppressed execs.
pub(crate) struct Suppressions {
    /// `None` without rules.
    rules: Option<PerCpuArray<MapData, [u64; RULES_WORDS]>>,
    /// `None` without a rate limit.
    buckets: Option<HashMap<MapData, u32, [u64; 3]>>,
    lanes: u32,
}

/// Writes the patterns of `suppression`, and the shared bucket, to the probes' maps.
pub(super) fn fill(ebpf: &mut Ebpf, suppression: &SuppressionPolicy) -> Result<(), AttachError> {
    let rules = &suppression.rules;
    fill_texts::<FILENAME_WINDOW>(
        ebpf,
        map_names::FILENAME_RULES,
        &rules.texts(Field::Filename),
    )?;
    fill_texts::<SUFFIX_WINDOW>(ebpf, map_names::SUFFIX_RULES, &rules.suffixes())?;
    fill_texts::<COMM_LEN>(ebpf, map_names::COMM_RULES, &rules.texts(Field::Comm))?;
    with_map(ebpf, map_names::UID_RULES, |map| {
        let mut uids = HashMap::<_, u32, [u32; 2]>::try_from(map)?;
        for (uid, matched) in rules.uids() {
            uids.insert(uid, cast::<Matched, [u32; 2]>(matched), 0)?;
        }
        Ok(())
    })?;
    with_map(ebpf, map_names::BUCKETS, |map| {
        let mut buckets = HashMap::<_, u32, [u64; 3]>::try_from(map)?;
        let full = cast::<Bucket, [u64; 3]>(Bucket::default());
        buckets.insert(SHARED_BUCKET, full, 0)
    })
}

/// Fills a trie with keys of `N` bytes of text.
fn fill_texts<const N: usize>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: &[Entry],
) -> Result<(), AttachError>
where
    [u8; N]: Pod,
{
    with_map(ebpf, name, |map| {
        let mut trie = LpmTrie::<_, [u8; N], [u32; 2]>::try_from(map)?;
        for Entry { bytes, matched } in entries {
            let mut data = [0; N];
            for (to, from) in data.iter_mut().zip(bytes) {
                *to = *from;
            }
            let key = Key::new(8 * bytes.len() as u32, data);
            trie.insert(&key, cast::<Matched, [u32; 2]>(*matched), 0)?;
        }
        Ok(())
    })
}

impl Suppressions {
    /// The counters of `suppression`; each rule has one per lane and CPU.
    pub(super) fn take(
        ebpf: &mut Ebpf,
        suppression: &SuppressionPolicy,
        lanes: u32,
    ) -> Result<Self, AttachError> {
        let rules = (!suppression.rules.is_empty()).then(|| take(ebpf, map_names::SUPPRESSED));
        let rules = rules.transpose()?;
        let buckets = suppression
            .rate
            .map(|_| take(ebpf, map_names::BUCKETS))
            .transpose()?;
        Ok(Self {
            rules,
            buckets,
            lanes,
        })
    }

    /// Whether there are rules or a limit on execs.
    pub(crate) fn any(&self) -> bool {
        self.rules.is_some() || self.buckets.is_some()
    }

    /// The running totals.
    pub(crate) fn tallies(&self) -> Result<Vec<Tally>, MapError> {
        let mut tallies = Vec::new();
        if let Some(rules) = &self.rules {
            let mut sums = [Suppressed::default(); MAX_RULES];
            for lane in 0..self.lanes {
                for words in rules.get(&lane, 0)?.iter() {
                    let counts: [Suppressed; MAX_RULES] = cast(*words);
                    for (sum, own) in sums.iter_mut().zip(counts) {
                        sum.count += own.count;
                        sum.last = sum.last.max(own.last);
                    }
                }
            }
            let sums = sums.into_iter().enumerate();
            tallies.extend(sums.map(|(number, sum)| tally(Cause::Rule(number), sum)));
        }
        if let Some(buckets) = &self.buckets {
            // No entry is ever removed; an entry that is added meanwhile is found the next time.
            for entry in buckets.iter() {
                let (target, bucket) = entry?;
                let bucket: Bucket = cast(bucket);
                tallies.push(tally(Cause::Rate(target), bucket.suppressed));
            }
        }
        Ok(tallies)
    }
}

fn tally(cause: Cause, Suppressed { count, last }: Suppressed) -> Tally {
    Tally { cause, count, last }
}
