//! Every parser of ours against its seeds and thousands of variations of them: the bodies of the fuzz targets (`make
//! fuzz`), on stable and the same each time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use fastrand::Rng;

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

/// Variations of the seeds of one target. An unoptimised build does some thousands a second.
const VARIATIONS: usize = 5000;

/// What parsers stumble over.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n\n",
    b"\"",
    b"{",
    b"}",
    b"[[",
    b",",
    b":",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc3\xa9",
    b"%2f",
    b"..",
    b"//",
    b" ",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551616",
    b"null",
    b"true",
    b"{\"",
    b"data: ",
    b"#",
    b"latest",
    b"stream",
    b"model",
    b"Model",
    b"chunked",
    b"[::1]",
    b"10.0.0.1",
    b"a",
    b"=",
    b"ffffffffffffffff",
];

/// The seeds of a target.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<_> = files
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{target} has only {} seeds", seeds.len());
    seeds
}

/// A seed with one to five changes.
fn vary(rng: &mut Rng, seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
    let pick = |rng: &mut Rng| seeds[rng.usize(..seeds.len())].1.clone();
    let mut bytes = pick(rng);
    for _ in 0..rng.usize(1..=5) {
        let at = rng.usize(..=bytes.len());
        let end = rng.usize(at..=bytes.len().min(at + 40));
        match rng.u8(..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            1 if at < bytes.len() => bytes[at] = rng.u8(..),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
            4 => {
                let other = pick(rng);
                let from = rng.usize(..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => drop(bytes.splice(at..at, PIECES[rng.usize(..PIECES.len())].iter().copied())),
        }
    }
    bytes.truncate(64 << 10);
    bytes
}

#[test]
fn what_holds_for_all_bytes_holds_for_these() {
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        let run = |what: &str, bytes: &[u8]| {
            let held = catch_unwind(AssertUnwindSafe(|| target(bytes)));
            assert!(held.is_ok(), "{name}: {what}: {:?}", String::from_utf8_lossy(bytes));
        };
        for (file, bytes) in &seeds {
            run(file, bytes);
        }
        let mut rng = Rng::with_seed(0x6_7a7e);
        for n in 0..VARIATIONS {
            run(&format!("variation {n}"), &vary(&mut rng, &seeds));
        }
    }
}
