//! SmartLink as the module hears it: lengths of frames become a key, a block at a time.

use zeroize::Zeroizing;

/// Length of a byte 0.
const BASE: usize = 76;
const START: usize = 89;
const END: usize = 86;
/// Length of a frame that carries the number of bytes, for a key without any.
const TRAILER: usize = 256 + BASE;
/// Longest key.
const MAX_KEY: usize = 64;

/// A module that listens for lengths.
#[derive(Default)]
pub(super) struct SmartLinkReceiver {
    stage: BlockStage,
    key: Zeroizing<Vec<u8>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum BlockStage {
    /// Waiting for the start of a block.
    #[default]
    Idle,
    Started,
    Data,
    Ended,
}

/// Says nothing of the key.
impl std::fmt::Debug for SmartLinkReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SmartLinkReceiver")
            .field(&self.stage)
            .finish()
    }
}

impl SmartLinkReceiver {
    /// Takes the length of a frame; returns the key at the end of a block in which nothing is missing: start, end and trailer agree on
    /// its length.
    pub(super) fn hear(&mut self, length: usize) -> Option<Zeroizing<Vec<u8>>> {
        match (length, &self.stage) {
            (START, BlockStage::Started) => {}
            (START, _) => {
                self.key.clear();
                self.stage = BlockStage::Started;
            }
            (END, BlockStage::Started | BlockStage::Data | BlockStage::Ended) => {
                self.stage = BlockStage::Ended;
            }
            (TRAILER.., BlockStage::Ended) => {
                self.stage = BlockStage::Idle;
                return (length - TRAILER == self.key.len()).then(|| self.key.clone());
            }
            (length, BlockStage::Started | BlockStage::Data)
                if (BASE + 1..TRAILER).contains(&length) && self.key.len() < MAX_KEY =>
            {
                self.stage = BlockStage::Data;
                let byte = u8::try_from(length - BASE).expect("it is below 256");
                self.key.push(byte);
            }
            // A preamble, or the rest of a block whose start was lost.
            _ => self.stage = BlockStage::Idle,
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A block as the vendor's class sends it, written without the client's encoder.
    fn block(key: &[u8]) -> Vec<usize> {
        let data: Vec<usize> = key.iter().map(|byte| usize::from(*byte) + 76).collect();
        let trailer = key.len() + 256 + 76;
        [&[89; 3][..], &data, &[86; 3], &[trailer; 3]].concat()
    }

    fn keys(lengths: &[usize]) -> Vec<Vec<u8>> {
        let mut receiver = SmartLinkReceiver::default();
        let heard = lengths.iter().filter_map(|length| receiver.hear(*length));
        heard.map(|key| key.to_vec()).collect()
    }

    #[test]
    fn published_vectors() {
        let preamble = [76; 200];
        let lengths = [
            &preamble[..],
            &[89, 89, 89, 128, 124, 132, 126, 128, 124, 132, 126],
            &[86, 86, 86, 340, 340, 340],
        ];
        assert_eq!(keys(&lengths.concat()), [b"40824082"]);
        assert_eq!(keys(&block(b"s3cret-K3y!").repeat(5)).len(), 5);
        assert_eq!(keys(&block(b"")), [b""]);
    }

    #[test]
    fn a_block_with_a_lost_doubled_or_foreign_frame_is_not_taken() {
        let whole = block(b"password");
        for place in 3..3 + 8 {
            let mut lost = whole.clone();
            lost.remove(place);
            assert!(keys(&lost).is_empty());
            let mut doubled = whole.clone();
            doubled.insert(place, whole[place]);
            assert!(keys(&doubled).is_empty());
        }
        let doubled: Vec<usize> = whole.iter().flat_map(|length| [*length; 2]).collect();
        assert!(keys(&doubled).is_empty(), "each byte counts once");
        // Of start, end and trailer one of three is enough.
        let thin = [&[89][..], &whole[3..11], &[86, 340]].concat();
        assert_eq!(keys(&thin), [b"password"]);
    }

    proptest! {
        #[test]
        fn what_is_sent_is_heard_whatever_was_before(noise in proptest::collection::vec(0_usize..1500, 0..50), key in "[ -~]{0,63}") {
            let lengths = [noise, block(key.as_bytes())].concat();
            let heard = keys(&lengths);
            prop_assert_eq!(heard.last().map(Vec::as_slice), Some(key.as_bytes()));
        }

        #[test]
        fn a_key_is_never_longer_than_one_can_be(lengths in proptest::collection::vec(0_usize..700, 0..400)) {
            prop_assert!(keys(&lengths).iter().all(|key| key.len() <= MAX_KEY));
        }
    }
}
