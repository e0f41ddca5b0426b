//! How much do 64 KiB of gzip hold?

/// A whole gzip file (RFC 1952) whose content is [`DECODED`] spaces.
///
/// One block with codes of its own (RFC 1951 §3.2.7) gives one bit to "the last 258 octets again" and one to the distance 1. So
/// each octet of zeros stands for 1,032 spaces.
pub(super) fn bomb() -> Vec<u8> {
    let mut octets = HEAD.to_vec();
    octets.resize(HEAD.len().saturating_add(ZEROS), 0);
    octets.extend_from_slice(&TAIL);
    octets
}

/// What the bomb decodes to: a space and 258 more by each of the matches, two in the head and four an octet.
#[cfg(test)]
const DECODED: usize = 1 + 258 * (2 + 4 * ZEROS);

const ZEROS: usize = 64 * 1024;

/// The header of the file; the block's codes and one space.
const HEAD: [u8; 25] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, //
    0xed, 0xe0, 0x81, 0x00, 0x00, 0x00, 0x00, 0x80, 0x20, 0xa8, 0xec, 0x4f, 0xb9, 0x48, 0x05,
];

/// The end of the block; checksum and length of the content.
const TAIL: [u8; 9] = [0x03, 0x73, 0xa9, 0x19, 0xca, 0x05, 0x02, 0x08, 0x04];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_at_its_end_is_that_of_its_content() {
        let bomb = bomb();
        let length = bomb.last_chunk::<4>().map(|octets| u32::from_le_bytes(*octets));
        assert_eq!(length.map(u64::from), Some(DECODED as u64));
        assert!(bomb.len() < 70_000);
    }
}
