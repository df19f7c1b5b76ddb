//! Quotas: whether each is for a model that there is, and lets anybody in.

use super::finding::Finding;
use crate::config::Config;

const QUOTAS: &str = "quotas";

/// Looks at the quotas; says nothing if there are none.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for quota in &config.quotas {
        let selects = quota.selects();
        let fits = |id: &str| quota.model.as_ref().is_none_or(|pattern| pattern.fits(id));
        let mut models = config.models.iter();
        if !config.models.is_empty() && !models.any(|model| fits(model.id.as_str())) {
            findings.push(
                Finding::warning(
                    QUOTAS,
                    format!("the quota for {selects} fits no model that is named"),
                )
                .why("it limits nobody")
                .cure("correct its `model`, or leave it out for all models together"),
            );
        }
        if quota.limits.let_nobody_in() {
            findings.push(
                Finding::note(
                    QUOTAS,
                    format!("the quota for {selects} lets nobody in: one of its numbers is 0"),
                )
                .why("each request that it is for is refused")
                .cure("raise it, unless that is what it is for"),
            );
        }
    }
    if findings.is_empty() && !config.quotas.is_empty() {
        let count = config.quotas.len();
        findings.push(Finding::fine(
            QUOTAS,
            format!("{count} of them, each for models that are named"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;
    use crate::config::{Surroundings, Typed};

    fn found(quotas: &str) -> Vec<(Level, String)> {
        let file = format!("{quotas}\n[models]\nsmall = \"small.gguf\"\n");
        let surroundings = Surroundings {
            cores: 2,
            data_home: Some("/nonexistent".into()),
        };
        let config = Config::resolve(&Typed::from_file(&file).unwrap(), &surroundings).unwrap();
        check(&config)
            .into_iter()
            .map(|finding| (finding.level, finding.what))
            .collect()
    }

    #[test]
    fn a_quota_of_no_model_and_one_of_nothing_are_found() {
        assert_eq!(found(""), []);
        let [(level, _)] = &found("[[quotas]]\nmodel = \"sm*\"\nrequests_per_day = 3")[..] else {
            panic!("one finding")
        };
        assert_eq!(*level, Level::Fine);
        let [(level, what)] = &found("[[quotas]]\nmodel = \"large\"\nrequests_per_day = 3")[..] else {
            panic!("one finding")
        };
        assert_eq!((*level, what.contains("`large`")), (Level::Warning, true));
        let [(level, what)] = &found("[[quotas]]\ntag = \"team\"\ntokens_per_day = 0")[..] else {
            panic!("one finding")
        };
        assert_eq!((*level, what.contains("`team`")), (Level::Note, true));
    }
}
