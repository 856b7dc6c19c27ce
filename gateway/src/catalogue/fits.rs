//! Does a model fit? Decided from what nodes have said of their room; where they have said nothing, nobody knows.

use serde::Serialize;

use super::library::Model;
use super::room::Space;

/// Bytes of disk that stay free beside a pulled model: the log, and Ollama's own files while it writes.
const DISK_RESERVE: u64 = 2_000_000_000;

const MIB: u64 = 1 << 20;

/// Types of instance for nodes, the cheapest first, and their GPU's memory as `nvidia-smi` tells it: a T4, an L4, an A10G and
/// an L40S (figures: <https://github.com/modal-labs/modal-client/pull/2797>).
const INSTANCES: [(&str, u64); 4] = [
    ("g4dn.xlarge", 15_360 * MIB),
    ("g6.xlarge", 23_034 * MIB),
    ("g5.xlarge", 23_028 * MIB),
    ("g6e.xlarge", 46_068 * MIB),
];

/// Sizes of those families that have one GPU. What larger ones have, their nodes say themselves.
const ONE_GPU: [&str; 5] = ["xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"];

/// GPU memory of a type of instance, where it is one of ours with one GPU.
pub fn gpu_memory(instance_type: &str) -> Option<u64> {
    let (family, size) = instance_type.split_once('.')?;
    let of_family = |(name, _): &&(&str, u64)| name.split_once('.').is_some_and(|(known, _)| known == family);
    INSTANCES.iter().find(of_family).filter(|_| ONE_GPU.contains(&size)).map(|(_, memory)| *memory)
}

/// The cheapest type that has the memory; `None` where none of ours has.
pub fn instance_type(model: &Model) -> Option<&'static str> {
    let needed = model.memory_bytes();
    INSTANCES.iter().find(|(_, memory)| needed <= *memory).map(|(name, _)| *name)
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It fits.
    Yes,
    /// It does not.
    No,
    /// No node has said what it has.
    Unknown,
}

/// Whether a model fits, and in words what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fits {
    /// Into the GPU's memory.
    pub memory: Answer,
    /// Onto the disk.
    pub disk: Answer,
    /// For people.
    pub sentence: String,
}

/// Does `model` fit into `space`? `here`: it is on the disk already.
pub fn fits(model: &Model, space: &Space, here: bool) -> Fits {
    let answer = |room: Option<u64>, needed: u64| match room {
        Some(room) if needed <= room => Answer::Yes,
        Some(_) => Answer::No,
        None => Answer::Unknown,
    };
    let memory = answer(space.gpu_memory, model.memory_bytes());
    let needed = model.download_bytes.saturating_add(DISK_RESERVE);
    let disk = if here { Answer::Yes } else { answer(space.disk_free, needed) };
    let sentences = [in_memory(model, space, memory), on_disk(model, space, disk, here)];
    Fits { memory, disk, sentence: sentences.into_iter().flatten().collect::<Vec<_>>().join(" ") }
}

fn in_memory(model: &Model, space: &Space, memory: Answer) -> Option<String> {
    let needed = gigabytes(model.memory_bytes());
    let would_do = match instance_type(model) {
        Some(name) => format!("{name} would do"),
        None => "no type of instance with one GPU would do".to_owned(),
    };
    Some(match (memory, space.gpu_memory) {
        (Answer::Yes, Some(has)) => format!("It takes {needed} of {} of GPU memory.", gigabytes(has)),
        (Answer::No, Some(has)) => {
            format!("It needs {needed} of GPU memory and the nodes have {}: {would_do}.", gigabytes(has))
        }
        _ => format!("It needs {needed} of GPU memory, and no node has said what it has: {would_do}."),
    })
}

fn on_disk(model: &Model, space: &Space, disk: Answer, here: bool) -> Option<String> {
    let takes = gigabytes(model.download_bytes);
    match (disk, space.disk_free) {
        (Answer::No, Some(free)) => Some(format!(
            "It takes {takes} of disk and {} are free, of which {} stay free: delete a model, or give the nodes a larger disk.",
            gigabytes(free),
            gigabytes(DISK_RESERVE),
        )),
        (Answer::Unknown, _) => {
            Some(format!("It takes {takes} of disk, and no node has said how much is free."))
        }
        _ if here => Some("It is here.".to_owned()),
        _ => None,
    }
}

/// As in `16.1 GB`: thousands of millions, as model sizes are told.
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn model(download: u64, per_token: u64) -> Model {
        let text = |text: &str| text.to_owned();
        Model {
            name: text("m:1"),
            title: text("M"),
            languages: vec![text("en")],
            context: 8192,
            parameters: text("1B"),
            download_bytes: download,
            context_bytes_per_token: per_token,
            window: 0,
            window_bytes_per_token: 0,
            licence: text("MIT"),
            source: text("https://example.com"),
            architecture: text("https://example.com"),
            note: text(""),
        }
    }

    fn space(gpu_memory: Option<u64>, disk_free: Option<u64>) -> Space {
        Space { gpu_memory, disk_free, as_of: Some(1) }
    }

    #[test]
    fn a_model_fits_up_to_the_last_byte() {
        let four = model(4 * GB, 0);
        let told = fits(&four, &space(Some(5 * GB), Some(6 * GB)), false);
        assert_eq!((told.memory, told.disk), (Answer::Yes, Answer::Yes));
        assert_eq!(told.sentence, "It takes 5.0 GB of 5.0 GB of GPU memory.");
        let told = fits(&four, &space(Some(5 * GB - 1), Some(6 * GB - 1)), false);
        assert_eq!((told.memory, told.disk), (Answer::No, Answer::No));
    }

    #[test]
    fn what_is_missing_is_said_and_what_would_do() {
        let large = model(17 * GB, 100_000);
        let told = fits(&large, &space(gpu_memory("g4dn.xlarge"), Some(10 * GB)), false);
        assert_eq!(
            told.sentence,
            "It needs 21.3 GB of GPU memory and the nodes have 16.1 GB: g6.xlarge would do. It takes 17.0 GB of disk and \
             10.0 GB are free, of which 2.0 GB stay free: delete a model, or give the nodes a larger disk."
        );
        let huge = fits(&model(60 * GB, 0), &space(Some(16 * GB), None), false);
        assert!(huge.sentence.contains("no type of instance with one GPU would do"), "{}", huge.sentence);
    }

    #[test]
    fn what_nobody_has_said_is_unknown() {
        let told = fits(&model(4 * GB, 0), &space(None, None), false);
        assert_eq!((told.memory, told.disk), (Answer::Unknown, Answer::Unknown));
        assert!(
            told.sentence.contains("g4dn.xlarge would do") && told.sentence.contains("how much is free"),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_here_needs_no_disk() {
        let told = fits(&model(4 * GB, 0), &space(Some(16 * GB), Some(0)), true);
        assert_eq!((told.memory, told.disk), (Answer::Yes, Answer::Yes));
        assert!(told.sentence.ends_with("It is here."), "{}", told.sentence);
    }

    #[test]
    fn the_cheapest_instance_that_does_is_named() {
        let named = |download| instance_type(&model(download, 0));
        assert_eq!(named(15 * GB), Some("g4dn.xlarge"));
        assert_eq!(named(16 * GB), Some("g6.xlarge"));
        assert_eq!(named(24 * GB), Some("g6e.xlarge"));
        assert_eq!(named(48 * GB), None);
    }

    #[test]
    fn a_type_of_instance_tells_its_memory_where_it_has_one_gpu() {
        assert_eq!(gpu_memory("g4dn.2xlarge"), Some(15_360 << 20));
        assert_eq!(gpu_memory("g6e.xlarge"), Some(46_068 << 20));
        for other in ["g4dn.12xlarge", "g4dn", "p5.48xlarge", "g6f.large", ""] {
            assert_eq!(gpu_memory(other), None, "{other}");
        }
    }
}
