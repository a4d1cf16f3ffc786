//! SQLite's journal, looked at with suspicion.
//!
//! SQLite ignores everything in its write-ahead journal from the first frame whose checksum is wrong: right after a
//! crash, but it would also hide the newest entries from whoever changed one byte of them. Here the frames are
//! checked one by one, so that this is seen. The format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::io::{self, Read};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The first word of a journal; its lowest bit says in which byte order the checksums are computed.
const MAGIC: u32 = 0x377f_0682;
/// The only version of the format.
const FORMAT: u32 = 3_007_000;
/// The largest page that SQLite knows.
const MAX_PAGE: u32 = 65_536;

/// What was found in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    /// Nothing.
    Empty,
    /// Every frame of this generation is whole and committed.
    Whole,
    /// It ends in a write that was not completed.
    Torn,
    /// Its header is wrong, or frames that follow a wrong one are right.
    Damaged,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

struct Header {
    big_endian: bool,
    page: usize,
    salt: (u32, u32),
    sum: Sum,
}

struct Frame {
    commit: bool,
    salt: (u32, u32),
    claimed: Sum,
    summed: Vec<u8>,
}

/// Looks at every frame.
pub(crate) fn examine(journal: &mut impl Read) -> io::Result<Journal> {
    let Some(bytes) = read_whole(journal, HEADER)? else { return Ok(Journal::Torn) };
    let Some(header) = header(&bytes) else { return Ok(Journal::Damaged) };
    let mut sum = header.sum;
    let mut committed = true;
    let mut broken = false;
    while let Some(bytes) = read_whole(journal, FRAME_HEADER.saturating_add(header.page))? {
        let Some(frame) = frame(&bytes) else { return Ok(Journal::Damaged) };
        if frame.salt.0 != header.salt.0 && frame.salt.1 != header.salt.1 {
            // A leftover of an earlier generation, which SQLite overwrites from the front.
            break;
        }
        let follows = frame.salt == header.salt && add(sum, &frame.summed, header.big_endian) == frame.claimed;
        if broken && follows {
            return Ok(Journal::Damaged);
        }
        broken = broken || !follows;
        committed = frame.commit;
        sum = frame.claimed;
    }
    Ok(if broken || !committed { Journal::Torn } else { Journal::Whole })
}

/// That many bytes, or nothing if the journal ends before or within them.
fn read_whole(journal: &mut impl Read, count: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; count];
    match journal.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn header(bytes: &[u8]) -> Option<Header> {
    let [magic, format, page, _, salt_1, salt_2, sum_1, sum_2] = words(bytes)?;
    let big_endian = magic & 1 == 1;
    let (summed, _) = bytes.split_at_checked(24)?;
    let sum = add(Sum(0, 0), summed, big_endian);
    let sound = magic & !1 == MAGIC
        && format == FORMAT
        && page.is_power_of_two()
        && (512..=MAX_PAGE).contains(&page)
        && sum == Sum(sum_1, sum_2);
    let page = usize::try_from(page).ok()?;
    sound.then_some(Header { big_endian, page, salt: (salt_1, salt_2), sum })
}

fn frame(bytes: &[u8]) -> Option<Frame> {
    let (head, page) = bytes.split_at_checked(FRAME_HEADER)?;
    let [_, size_after, salt_1, salt_2, sum_1, sum_2] = words(head)?;
    let (first, _) = head.split_at_checked(8)?;
    let summed = [first, page].concat();
    Some(Frame { commit: size_after != 0, salt: (salt_1, salt_2), claimed: Sum(sum_1, sum_2), summed })
}

fn words<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let (quads, _) = bytes.as_chunks::<4>();
    let words: Vec<u32> = quads.iter().take(N).map(|quad| u32::from_be_bytes(*quad)).collect();
    words.try_into().ok()
}

/// SQLite's checksum, continued over more bytes.
fn add(sum: Sum, bytes: &[u8], big_endian: bool) -> Sum {
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs.iter().fold(sum, |Sum(first, second), &[a, b, c, d, e, f, g, h]| {
        let word = |quad| if big_endian { u32::from_be_bytes(quad) } else { u32::from_le_bytes(quad) };
        let first = first.wrapping_add(word([a, b, c, d])).wrapping_add(second);
        let second = second.wrapping_add(word([e, f, g, h])).wrapping_add(first);
        Sum(first, second)
    })
}
