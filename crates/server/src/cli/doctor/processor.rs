//! The processor: which instructions the engine can use, and what it costs if the good ones are missing.

use super::finding::Finding;

const CHECK: &str = "processor";

/// Looks at the processor.
pub(super) fn check(cores: usize, threads: usize) -> Vec<Finding> {
    let mut findings = vec![instructions(&moho_engine::kernels())];
    if threads > cores {
        findings.push(
            Finding::warning(
                CHECK,
                format!(
                    "the engine is to compute on {threads} threads, and this process may use {cores} cores"
                ),
            )
            .why("threads that wait for each other make every answer slower")
            .cure(format!(
                "set --threads {cores} (`engine.threads`), or leave it out"
            )),
        );
    }
    findings
}

/// What the engine computes with, the first of `kernels`.
fn instructions(kernels: &[&str]) -> Finding {
    let used = kernels.first().copied().unwrap_or("portable");
    let what = format!("the engine computes with {used}");
    match used {
        "portable" => Finding::warning(CHECK, format!("this processor shows no AVX2: {what} instructions"))
            .why("answers come several times slower than with AVX2")
            .cure(
                "use an x86-64 processor from 2013 or later (AVX2, FMA and F16C); in a virtual machine, let it show the \
                 host's features (QEMU: -cpu host)",
            ),
        "avx2" => Finding::note(CHECK, format!("{what}; this processor shows no AVX-512 with VNNI"))
            .why("a processor with AVX-512 VNNI reads long prompts faster"),
        _ => Finding::fine(CHECK, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn missing_instructions_are_told_with_what_they_cost() {
        let portable = instructions(&["portable"]);
        assert_eq!(portable.level, Level::Warning);
        assert!(portable.what.contains("AVX2") && portable.why.contains("slower"));
        assert_eq!(instructions(&["avx2", "portable"]).level, Level::Note);
        assert_eq!(
            instructions(&["avx512-vnni", "avx2", "portable"]).level,
            Level::Fine
        );
    }

    #[test]
    fn this_processor_is_looked_at() {
        assert_eq!(moho_engine::kernels().last(), Some(&"portable"));
        let findings = check(2, 3);
        assert_eq!(findings.len(), 2);
        assert!(findings[1].cure.contains("--threads 2"));
        assert_eq!(check(2, 2).len(), 1);
    }
}
