//! Model files: whether they would load, and whether there is memory for them.

use std::io;

use moho_engine::{GgufError, LoadError, ModelError, ModelOutline};

use super::finding::{Finding, chain};
use super::scene::{Scene, System, size};
use crate::config::{Config, ModelFile};

const MODEL: &str = "model";
const MEMORY: &str = "memory";
/// What moho takes besides models and bodies, generously: as much for itself as for the chunks of objects that are being read.
const ITSELF: u64 = 128 << 20;

/// Looks at the model files, and at the memory that they would take.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let config = scene.config;
    let mut findings = Vec::new();
    if config.models.is_empty() {
        findings.push(
            Finding::warning(MODEL, "no model is named")
                .why("there is nothing to ask")
                .cure("name one with --model ID=FILE.gguf (`models`)"),
        );
    }
    let mut weights = 0_u64;
    for file in &config.models {
        match ModelOutline::read(&file.path) {
            Ok(outline) => {
                weights = weights.saturating_add(outline.bytes);
                findings.push(readable(file, &outline));
            }
            Err(error) => findings.push(unreadable(file, &error)),
        }
    }
    findings.extend(ungranted(config));
    findings.extend(memory(scene, weights));
    findings
}

fn readable(file: &ModelFile, outline: &ModelOutline) -> Finding {
    if outline.has_chat_template {
        let millions = outline.parameters / 1_000_000;
        return Finding::fine(
            MODEL,
            format!(
                "{}: {millions} million parameters, mostly {}, {}, context of {} tokens",
                file.id,
                outline.quantisation,
                size(outline.bytes),
                outline.context_length
            ),
        );
    }
    Finding::fault(
        MODEL,
        format!("{} ({}) has no chat template", file.id, file.path.display()),
    )
    .why("moho loads it, but refuses every conversation with it")
    .cure("use the file of the instruct or chat variant, whose metadata hold `tokenizer.chat_template`")
}

fn unreadable(file: &ModelFile, error: &LoadError) -> Finding {
    let error_text = chain(error);
    Finding::fault(
        MODEL,
        format!(
            "{} ({}) would not load: {error_text}",
            file.id,
            file.path.display()
        ),
    )
    .why("moho does not start without a model that it is told to serve")
    .cure(cure(error))
}

/// What to do about a file that does not load.
fn cure(error: &LoadError) -> &'static str {
    if let LoadError::Gguf(container) | LoadError::Model(ModelError::Gguf(container)) = error {
        cure_container(container)
    } else if matches!(error, LoadError::Model(ModelError::Architecture { .. })) {
        "choose a model of a supported architecture (`general.architecture` in its metadata)"
    } else {
        "choose another file: this one is damaged, or made for another engine"
    }
}

fn cure_container(error: &GgufError) -> &'static str {
    if let GgufError::Io(error) = error {
        return if error.kind() == io::ErrorKind::NotFound {
            "check the path after `=` in --model (`models`); a relative one begins where moho is started"
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            "let moho's user read the file, and pass every directory above it"
        } else {
            "look into the system's log (`dmesg`) for what is wrong with the disk"
        };
    }
    if matches!(error, GgufError::Magic | GgufError::NotAFile) {
        "name a GGUF file: safetensors and the like have to be converted first (llama.cpp's convert_hf_to_gguf.py)"
    } else if matches!(error, GgufError::Version(_)) {
        "convert it anew: only GGUF versions 2 and 3, little-endian, are read"
    } else if matches!(error, GgufError::Truncated | GgufError::Place { .. }) {
        "it is not whole: download it again, and compare its size and SHA-256 with the publisher's"
    } else if matches!(error, GgufError::TensorType { .. }) {
        "choose a variant in a supported type, such as Q8_0 or Q4_1, or quantise it again"
    } else {
        "download it again, and compare its SHA-256 with the publisher's; if it is whole, choose another file"
    }
}

/// A model without a grant can be used by nobody, as nothing else can grant it yet.
fn ungranted(config: &Config) -> Vec<Finding> {
    let without = config
        .models
        .iter()
        .filter(|model| !config.bootstrap_grants.contains(&model.id));
    without
        .map(|model| {
            Finding::note(MODEL, format!("{} is not granted by these settings", model.id))
                .why("without an agreement of the account, every call to it is denied")
                .cure(format!(
                    "start with --bootstrap-grant {} (`bootstrap.grants`), unless it was granted earlier",
                    model.id
                ))
        })
        .collect()
}

/// The memory that all of it takes, against what there is.
fn memory(scene: &Scene<'_>, weights: u64) -> Option<Finding> {
    if scene.running.is_some() {
        // What it takes is taken already.
        return None;
    }
    let config = scene.config;
    let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let pools = bytes(config.engine.kv_bytes).saturating_mul(bytes(config.models.len()));
    let bodies = bytes(config.limits.body_memory).saturating_add(bytes(config.limits.stream_memory()));
    let needed = [weights, pools, bodies, ITSELF]
        .into_iter()
        .fold(0, u64::saturating_add);
    let (available, whose) = available(&scene.system)?;
    let what = format!(
        "about {} needed (weights {}, attention {}, bodies {}), {} {whose}",
        size(needed),
        size(weights),
        size(pools),
        size(bodies),
        size(available)
    );
    let cure = "choose a smaller model or variant, set --kv-memory (`engine.kv_memory`) lower, or give the machine or the \
                service more memory";
    Some(if needed > available {
        Finding::fault(MEMORY, what)
            .why("the system would end moho when memory runs out")
            .cure(cure)
    } else if needed > available - available / 10 {
        Finding::warning(MEMORY, what)
            .why("the system may end moho when something else takes memory")
            .cure(cure)
    } else {
        Finding::fine(MEMORY, what)
    })
}

/// How much may still be taken: of the machine's memory, or of the control group's if that is less.
fn available(system: &System) -> Option<(u64, &'static str)> {
    let machine = system.memory("MemAvailable")?;
    let group = system.proc("self/cgroup").and_then(|groups| {
        let path = groups
            .lines()
            .find_map(|line| line.strip_prefix("0::"))?
            .to_owned();
        let folder = system.sys.join("fs/cgroup").join(path.trim_start_matches('/'));
        let number = |name: &str| super::scene::small(&folder.join(name))?.parse::<u64>().ok();
        Some(number("memory.max")?.saturating_sub(number("memory.current").unwrap_or(0)))
    });
    match group {
        Some(group) if group < machine => Some((group, "left in this control group")),
        Some(_) | None => Some((machine, "available")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::super::finding::Level;
    use super::super::scene::tests::drawn;
    use super::super::tests::{config, scene};
    use super::*;

    fn of_file(path: &Path) -> Finding {
        let named = format!("m={}", path.display());
        let config = config(&[("models", &named), ("bootstrap.grants", "m")]);
        check(&scene(&config)).remove(0)
    }

    #[test]
    fn a_file_that_does_not_load_is_told_with_its_cure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        let is = |what: &str, cure: &str| {
            let found = of_file(&path);
            assert_eq!(found.level, Level::Fault);
            assert!(
                found.what.contains(what) && found.cure.contains(cure),
                "{found:?}"
            );
        };
        is("No such file", "check the path");
        fs::write(&path, b"PK\x03\x04 and so on").unwrap();
        is("not a gguf file", "convert");
        fs::write(&path, b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0").unwrap();
        is("ends too early", "download it again");
        fs::write(&path, b"GGUF\x09\0\0\0\x01\0\0\0\0\0\0\0").unwrap();
        is("version 9", "versions 2 and 3");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        is("not a regular file", "GGUF");
    }

    #[test]
    fn a_file_that_may_not_be_read_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o000)).unwrap();
        if fs::File::open(file.path()).is_ok() {
            let denied = io::Error::from(io::ErrorKind::PermissionDenied);
            assert!(cure(&LoadError::Gguf(GgufError::Io(denied))).contains("let moho's user read"));
            return;
        }
        assert!(of_file(file.path()).cure.contains("let moho's user read"));
    }

    #[test]
    fn other_engines_files_are_told_apart() {
        let architecture = ModelError::Architecture {
            name: "mamba".to_owned(),
        };
        assert!(cure(&LoadError::Model(architecture)).contains("architecture"));
        let kind = GgufError::TensorType {
            name: "t".to_owned(),
            kind: "IQ1_S".to_owned(),
        };
        assert!(cure(&LoadError::Model(ModelError::Gguf(kind))).contains("Q8_0"));
    }

    #[test]
    fn a_model_without_a_template_or_a_grant_is_told() {
        let file = ModelFile {
            id: "m".parse().unwrap(),
            path: "m.gguf".into(),
        };
        let outline = |has_chat_template| ModelOutline {
            context_length: 8,
            parameters: 1,
            quantisation: "F32".to_owned(),
            bytes: 1,
            has_chat_template,
        };
        assert_eq!(readable(&file, &outline(true)).level, Level::Fine);
        assert_eq!(readable(&file, &outline(false)).level, Level::Fault);
        let config = config(&[("models", "m=x.gguf")]);
        assert!(ungranted(&config)[0].cure.contains("--bootstrap-grant m"));
    }

    #[test]
    fn no_model_at_all_is_told() {
        let config = config(&[]);
        assert_eq!(check(&scene(&config))[0].level, Level::Warning);
    }

    #[test]
    fn what_does_not_fit_into_memory_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&[("models", "m=x.gguf"), ("engine.kv_memory", "256MiB")]);
        let mut scene = scene(&config);
        let needed = (256_u64 << 20) + (384 << 20) + ITSELF + (1 << 30);
        let mut told = |kibibytes: u64| {
            let text = format!("MemAvailable: {kibibytes} kB\n");
            scene.system = drawn(folder.path(), &[("proc/meminfo", &text)]);
            memory(&scene, 1 << 30).unwrap().level
        };
        let exactly = needed / 1024;
        assert_eq!(told(exactly - 1), Level::Fault);
        assert_eq!(told(exactly + exactly / 20), Level::Warning);
        assert_eq!(told(exactly * 2), Level::Fine);
    }

    #[test]
    fn a_control_group_may_hold_less_than_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let system = drawn(
            folder.path(),
            &[
                ("proc/meminfo", "MemAvailable: 1000 kB\n"),
                ("proc/self/cgroup", "0::/a.slice/b\n"),
                ("sys/fs/cgroup/a.slice/b/memory.max", "5000\n"),
                ("sys/fs/cgroup/a.slice/b/memory.current", "1000\n"),
            ],
        );
        assert_eq!(available(&system), Some((4000, "left in this control group")));
        drawn(folder.path(), &[("sys/fs/cgroup/a.slice/b/memory.max", "max\n")]);
        assert_eq!(available(&system), Some((1_024_000, "available")));
    }
}
