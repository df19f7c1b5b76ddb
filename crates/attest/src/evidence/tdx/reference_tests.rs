//! Every reason to refuse a domain that is genuine, but not the one that a policy names.

use super::super::appraisal::{AppraisalPolicy, Freshness, References};
use super::super::claims::Workload;
use super::issuer::{Intel, Told, json, now, reference};
use super::*;

/// A right domain whose collateral tells something else.
fn domain(change: impl Fn(&mut Told)) -> Genuine<Claims> {
    let intel = Intel::new();
    let mut told = intel.told();
    change(&mut told);
    let collateral = json(&intel.tell(&told));
    verify(&intel.quote(&[]), &collateral, &intel.anchors(), now()).unwrap()
}

fn appraised(genuine: Genuine<Claims>, domains: Vec<TdxReference>) -> Result<Workload, Refusal> {
    let policy = AppraisalPolicy {
        freshness: Freshness::Nonce(vec![0xd7; 64]),
        references: References::Tdx(domains),
    };
    let verified = genuine.appraise(&policy, now())?;
    Ok(verified.claims().workload)
}

/// That a right domain is refused by a reference with this change.
fn refused_by(change: fn(&mut TdxReference), check: Check, says: &str) {
    let mut reference = reference();
    change(&mut reference);
    let refusal = appraised(domain(|_| {}), vec![reference]).unwrap_err();
    assert_eq!((refusal.check(), refusal.part()), (check, Part::TdQuote));
    assert!(refusal.found().contains(says), "{refusal}");
}

#[test]
fn a_domain_is_what_the_reference_says_in_every_field() {
    assert_eq!(appraised(domain(|_| {}), vec![reference()]), Ok(Workload::Image));
}

#[test]
fn a_domain_that_differs_from_the_reference_in_one_field_is_refused_with_both_values() {
    let check = Check::Measurement;
    refused_by(|r| r.mr_td = [0; 48], check, "MRTD is 3d3d");
    refused_by(|r| r.rtmr[0] = [0; 48], check, "RTMR0 is a0a0");
    refused_by(|r| r.rtmr[1] = [0; 48], check, "RTMR1 is a1a1");
    refused_by(|r| r.rtmr[2] = [0; 48], check, "RTMR2 is a2a2");
    refused_by(|r| r.rtmr[3] = [0; 48], check, "RTMR3 is a3a3");
    refused_by(|r| r.mr_config_id = [0; 48], check, "MRCONFIGID is c1c1");
    refused_by(|r| r.mr_owner = [0; 48], check, "MROWNER is 0101");
    refused_by(|r| r.mr_owner_config = [0; 48], check, "MROWNERCONFIG is 0c0c");
    refused_by(
        |r| r.td_attributes |= 1 << 63,
        Check::Mode,
        "the TD attributes are 0x10000000",
    );
    refused_by(|r| r.xfam = 3, Check::Mode, "the XFAM are 0x602e7");
    refused_by(
        |r| r.minimum_tcb_evaluation = 18,
        Check::Tcb,
        "TCB evaluation 17, and the policy asks for 18",
    );
}

fn outdated() -> Genuine<Claims> {
    domain(|told| {
        told.tcb_info = told
            .tcb_info
            .replace("UpToDate", "OutOfDate")
            .replace(r#""advisoryIDs":[]"#, r#""advisoryIDs":["INTEL-SA-01036"]"#);
    })
}

#[test]
fn firmware_that_is_out_of_date_is_refused_unless_the_reference_takes_it_and_its_advisories() {
    let refusal = appraised(outdated(), vec![reference()]).unwrap_err();
    assert_eq!(refusal.check(), Check::Tcb);
    assert!(
        refusal
            .found()
            .contains("OutOfDate (INTEL-SA-01036), and the policy takes UpToDate"),
        "{refusal}"
    );
    let mut taken = reference();
    taken.tcb.statuses.push(TcbStatus::OutOfDate);
    let refusal = appraised(outdated(), vec![taken.clone()]).unwrap_err();
    assert!(refusal.found().contains("INTEL-SA-01036 is open"), "{refusal}");
    taken.tcb.advisories.push("INTEL-SA-01036".to_owned());
    assert_eq!(appraised(outdated(), vec![taken]), Ok(Workload::Image));
}

#[test]
fn an_advisory_is_not_taken_though_firmware_is_up_to_date() {
    let open = domain(|told| {
        told.tcb_info = told
            .tcb_info
            .replace(r#""advisoryIDs":[]"#, r#""advisoryIDs":["INTEL-SA-00001"]"#);
    });
    let refusal = appraised(open, vec![reference()]).unwrap_err();
    assert_eq!(refusal.check(), Check::Tcb, "{refusal}");
}

#[test]
fn a_quoting_enclave_that_is_out_of_date_makes_the_platform_so() {
    let old = domain(|told| told.qe_identity = told.qe_identity.replace("UpToDate", "OutOfDate"));
    let status = old.claims().tdx.as_ref().unwrap().tcb_status;
    assert_eq!(status, TcbStatus::OutOfDate);
}

#[test]
fn of_many_references_the_nearest_is_told() {
    let mut far = reference();
    far.mr_td = [9; 48];
    let mut near = reference();
    near.rtmr[3] = [9; 48];
    let refusal = appraised(domain(|_| {}), vec![far.clone(), near, far.clone()]).unwrap_err();
    assert!(refusal.found().contains("RTMR3"), "{refusal}");
    let found = appraised(domain(|_| {}), vec![far, reference()]);
    assert_eq!(found, Ok(Workload::Image));
    let none = appraised(domain(|_| {}), Vec::new()).unwrap_err();
    assert_eq!(none.check(), Check::Measurement);
}

#[test]
fn a_quote_with_other_data_than_was_asked_for_is_refused() {
    for (freshness, check) in [
        (Freshness::Nonce(vec![0xd7; 32]), Check::Nonce),
        (Freshness::WithinSeconds(300), Check::Freshness),
    ] {
        let references = References::Tdx(vec![reference()]);
        let policy = AppraisalPolicy {
            freshness,
            references,
        };
        let refusal = domain(|_| {}).appraise(&policy, now()).unwrap_err();
        assert_eq!(refusal.check(), check);
    }
    let policy = AppraisalPolicy {
        freshness: Freshness::Nonce(vec![0xd7; 64]),
        references: References::Snp(Vec::new()),
    };
    let refusal = domain(|_| {}).appraise(&policy, now()).unwrap_err();
    assert_eq!(refusal.check(), Check::Kind);
    assert!(domain(|_| {}).for_key_release(now()).is_err());
}
