//! How often randomised tests run, and from which seeds: printed, and to be run again by `POSTQ_TEST_SEED`.

/// A tenth of the rounds, unless `cargo xtask test-long` asks for all of them.
pub(crate) fn rounds(all: u64) -> u64 {
    let long = std::env::var("POSTQ_TEST_ROUNDS").is_ok_and(|rounds| rounds == "long");
    if long { all } else { all.div_ceil(10) }
}

/// The seeds of a test: that of `POSTQ_TEST_SEED` alone, or so many from a random one on.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    if let Ok(seed) = std::env::var("POSTQ_TEST_SEED") {
        return vec![seed.parse().expect("POSTQ_TEST_SEED is a number")];
    }
    let first = u64::from(u32::from_be_bytes(vault::random::generate().unwrap()));
    eprintln!("seeds {first} to {}", first + count - 1);
    (first..first + count).collect()
}

/// SplitMix64: the same numbers from the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }
}
