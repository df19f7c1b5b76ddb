//! Every reason to refuse a guest that is genuine, but not the one that a policy names.

use super::super::appraisal::{AppraisalPolicy, Freshness, References};
use super::super::claims::Workload;
use super::issuer::{Amd, CSP_ID, Certified, TCB, now, reference, tcb};
use super::tests::{Change, parts, verified};
use super::*;

fn appraised(changes: &[Change<'_>], guests: Vec<SnpReference>) -> Result<Workload, Refusal> {
    let policy = AppraisalPolicy {
        freshness: Freshness::Nonce(vec![0xd7; 64]),
        references: References::Snp(guests),
    };
    let genuine = verified(&Amd::new(&Certified::vcek()), changes).unwrap();
    let verified = genuine.appraise(&policy, now())?;
    Ok(verified.claims().workload)
}

#[test]
fn a_guest_is_what_the_reference_says_in_every_field() {
    assert_eq!(appraised(&[], vec![reference()]), Ok(Workload::Image));
    let older = TcbVersion { snp: 19, ..TCB };
    let mut lower = reference();
    (lower.minimum_tcb, lower.minimum_guest_svn) = (older, 4);
    lower.required_platform = PlatformInfo::NONE;
    assert_eq!(appraised(&[], vec![lower]), Ok(Workload::Image));
}

/// That a right report is refused by a reference with this change.
fn refused_by(change: fn(&mut SnpReference), check: Check, says: &str) {
    let mut reference = reference();
    change(&mut reference);
    let refusal = appraised(&[], vec![reference]).unwrap_err();
    assert_eq!(parts(&refusal), (check, Part::Report), "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

#[test]
fn another_guest_than_the_reference_names_is_refused_with_both_values() {
    let check = Check::Measurement;
    refused_by(|r| r.measurement = [0; 48], check, "the measurement is 3e3e");
    refused_by(|r| r.host_data = [0; 32], check, "the host data is 4040");
    refused_by(|r| r.id_key_digest = [1; 48], check, "the id key digest is 0000");
    refused_by(
        |r| r.author_key_digest = [1; 48],
        check,
        "the author key digest is 0000",
    );
    refused_by(|r| r.minimum_guest_svn = 6, check, "the guest SVN is 5");
}

#[test]
fn a_guest_that_runs_otherwise_than_the_reference_names_is_refused_with_both_values() {
    refused_by(
        |r| r.product = Product::Milan,
        Check::Kind,
        "the product is Genoa",
    );
    refused_by(
        |r| r.vmpl = 1,
        Check::Mode,
        "the VMPL is 0, and the policy names 1",
    );
    refused_by(
        |r| r.guest_policy = GuestPolicy::from_bits(0x2_001f).unwrap(),
        Check::Mode,
        "the guest policy is 0x3001f, and the policy names 0x2001f",
    );
    refused_by(
        |r| r.required_platform = PlatformInfo::CIPHERTEXT_HIDING,
        Check::Mode,
        "the platform info is 0x25",
    );
    refused_by(|r| r.minimum_tcb.snp = 21, Check::Tcb, "the reported TCB is");
    refused_by(
        |r| {
            let csp_id = CSP_ID.to_owned();
            r.endorser = Endorser::Vlek { csp_id };
        },
        Check::Chain,
        "it is signed by a chip's key",
    );
}

#[test]
fn firmware_that_was_or_may_be_old_is_refused() {
    let old = tcb(TcbVersion {
        microcode: 0xd0,
        ..TCB
    });
    for (at, name) in [(0x38, "current"), (0x1e0, "committed"), (0x1f0, "launch")] {
        let refusal = appraised(&[(at, &old)], vec![reference()]).unwrap_err();
        assert_eq!(refusal.check(), Check::Tcb);
        assert!(
            refusal.found().starts_with(&format!("the {name} TCB")),
            "{refusal}"
        );
    }
}

#[test]
fn of_many_references_the_nearest_is_told() {
    let mut far = reference();
    far.measurement = [9; 48];
    let mut near = reference();
    near.vmpl = 2;
    let refusal = appraised(&[], vec![far.clone(), near, far.clone()]).unwrap_err();
    assert!(refusal.found().contains("VMPL"), "{refusal}");
    assert_eq!(appraised(&[], vec![far, reference()]), Ok(Workload::Image));
    assert_eq!(
        appraised(&[], Vec::new()).unwrap_err().check(),
        Check::Measurement
    );
}

#[test]
fn a_report_with_other_data_than_was_asked_for_is_refused() {
    let genuine = || verified(&Amd::new(&Certified::vcek()), &[]).unwrap();
    let policy = |freshness, references| AppraisalPolicy {
        freshness,
        references,
    };
    let guests = || References::Snp(vec![reference()]);
    let other = genuine().appraise(&policy(Freshness::Nonce(vec![0xd7; 63]), guests()), now());
    assert_eq!(other.unwrap_err().check(), Check::Nonce);
    let timed = genuine().appraise(&policy(Freshness::WithinSeconds(300), guests()), now());
    assert_eq!(timed.unwrap_err().check(), Check::Freshness);
    let enclaves = References::Nitro(Vec::new());
    let kind = genuine().appraise(&policy(Freshness::Nonce(vec![0xd7; 64]), enclaves), now());
    assert_eq!(kind.unwrap_err().check(), Check::Kind);
    assert!(
        genuine().for_key_release(now()).is_err(),
        "keys go to Nitro alone"
    );
}
