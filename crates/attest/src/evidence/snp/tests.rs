//! Every reason to refuse a report, on reports that are right in everything else.

use proptest::prelude::*;

use super::super::claims::Workload;
use super::issuer::{Amd, CSP_ID, Certified, TCB, now, unsigned};
use super::report::SIGNED;
use super::*;

pub(super) type Change<'a> = (usize, &'a [u8]);

pub(super) fn verified(amd: &Amd, changes: &[Change<'_>]) -> Result<Genuine<Claims>, Refusal> {
    verify(&amd.report(changes), &amd.chain(), &amd.anchors(), now())
}

pub(super) fn parts(refusal: &Refusal) -> (Check, Part) {
    (refusal.check(), refusal.part())
}

/// That a report of a VCEK with these changes is refused so.
fn refused(changes: &[Change<'_>], check: Check, says: &str) {
    let refusal = verified(&Amd::new(&Certified::vcek()), changes).unwrap_err();
    assert_eq!(parts(&refusal), (check, Part::Report), "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

/// That a right report is refused under this certificate.
fn refused_certificate(certified: &Certified, check: Check, says: &str) {
    let refusal = verified(&Amd::new(certified), &[]).unwrap_err();
    assert_eq!(parts(&refusal), (check, Part::Leaf), "{refusal}");
    assert!(refusal.found().contains(says), "{refusal}");
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_iso8601_basic(text).unwrap()
}

#[test]
fn a_report_that_is_right_in_everything_is_genuine() {
    let genuine = verified(&Amd::new(&Certified::vcek()), &[]).unwrap();
    let claims = genuine.claims();
    assert_eq!(
        (claims.kind, claims.workload),
        (EvidenceKind::Snp, Workload::Unmeasured)
    );
    assert_eq!(claims.nonce.as_deref(), Some([0xd7; 64].as_slice()));
    assert_eq!(claims.platform, "c1".repeat(64));
    assert_eq!((claims.issued_at, &claims.registers), (None, &None));
    let snp = claims.snp.as_ref().unwrap();
    assert_eq!((snp.product, &snp.endorser), (Product::Genoa, &Endorser::Vcek));
    assert_eq!((snp.measurement, snp.host_data), ([0x3e; 48], [0x40; 32]));
    assert_eq!((snp.vmpl, snp.guest_svn), (0, 5));
    assert_eq!((snp.family_id, snp.image_id), ([0xfa; 16], [0x1a; 16]));
    assert_eq!(snp.reported_tcb, TCB);
    assert_eq!(snp.guest_policy.bits(), 0x3_001f);
    assert_eq!((snp.migration_agent, snp.report_id), (None, [0x1d; 32]));
}

#[test]
fn reports_of_versions_2_to_5_are_read_and_others_are_not() {
    let amd = Amd::new(&Certified::vcek());
    assert!(verified(&amd, &[(0, &[2]), (0x188, &[0, 0])]).is_ok());
    for version in [4, 5] {
        let vectors: Change<'_> = (0x1f8, &[0xff; 16]);
        assert!(verified(&amd, &[(0, &[version]), vectors]).is_ok(), "{version}");
    }
    for version in [0, 1, 6, 0xff] {
        refused(&[(0, &[version])], Check::Encoding, "is not known");
    }
    refused(&[(0, &[3, 0, 0, 1])], Check::Encoding, "is not known");
}

#[test]
fn a_report_of_another_length_is_refused() {
    let amd = Amd::new(&Certified::vcek());
    let report = amd.report(&[]);
    for wrong in [&report[..LENGTH - 1], &[report.as_slice(), &[0]].concat(), &[]] {
        let refusal = verify(wrong, &amd.chain(), &amd.anchors(), now()).unwrap_err();
        assert_eq!(parts(&refusal), (Check::Encoding, Part::Report));
        assert!(refusal.found().contains("instead of 1184"), "{refusal}");
    }
}

#[test]
fn reserved_bytes_that_are_not_zero_are_refused() {
    for at in [0x4c, 0x4f, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x1f8, 0x207, 0x29f] {
        refused(&[(at, &[1])], Check::Encoding, "have to be zero");
    }
    // Where version 2 has nothing yet, and version 5 nothing any more.
    refused(&[(0, &[2])], Check::Encoding, "have to be zero");
    refused(&[(0, &[5]), (0x208, &[1])], Check::Encoding, "have to be zero");
    for behind in [
        SIGNED + 48,
        SIGNED + 71,
        SIGNED + 72 + 48,
        SIGNED + 144,
        LENGTH - 1,
    ] {
        refused(&[(behind, &[1])], Check::Encoding, "have to be zero");
    }
}

#[test]
fn another_signature_algorithm_is_refused() {
    for algorithm in [0, 2] {
        refused(&[(0x34, &[algorithm])], Check::Algorithm, "P-384");
    }
}

#[test]
fn a_report_that_is_not_signed_is_refused() {
    refused(&[(0x48, &[7 << 2])], Check::Signature, "says so itself");
    refused(&[(0x48, &[2])], Check::Signature, "says so itself");
    refused(&[(0x48, &[3 << 2])], Check::Encoding, "kind 3 of keys");
    refused(&[(0x48, &[0x20])], Check::Encoding, "flags of its keys");
}

#[test]
fn a_report_that_the_hypervisor_asked_for_is_refused() {
    refused(&[(0x30, &[0xff; 4])], Check::Kind, "the hypervisor asked for it");
    refused(&[(0x30, &[4])], Check::Encoding, "no VMPL 4");
}

#[test]
fn a_guest_that_can_be_debugged_is_refused() {
    refused(&[(0x0a, &[0x0b])], Check::Mode, "allows debugging");
}

#[test]
fn a_guest_policy_with_unknown_bits_is_refused() {
    refused(&[(0x0a, &[0x01])], Check::Encoding, "bit 17");
    refused(&[(0x0b, &[0x04])], Check::Encoding, "not known");
    refused(&[(0x0f, &[0x80])], Check::Encoding, "not known");
}

#[test]
fn a_migration_agent_that_the_guest_policy_does_not_allow_is_refused() {
    refused(&[(0x160, &[0x77; 32])], Check::Mode, "migration agent");
    let amd = Amd::new(&Certified::vcek());
    let agent = verified(&amd, &[(0x0a, &[0x07]), (0x160, &[0x77; 32])]).unwrap();
    let snp = agent.claims().snp.clone().unwrap();
    assert_eq!(snp.migration_agent, Some([0x77; 32]));
    assert!(verified(&amd, &[(0x160, &[0; 32])]).is_ok(), "early firmware");
}

#[test]
fn an_author_key_that_its_flag_contradicts_is_refused() {
    refused(&[(0x110, &[1])], Check::Encoding, "author key");
    refused(&[(0x48, &[1])], Check::Encoding, "author key");
    let amd = Amd::new(&Certified::vcek());
    let author = verified(&amd, &[(0x48, &[1]), (0x110, &[0xa0; 48])]).unwrap();
    assert_eq!(
        author.claims().snp.as_ref().unwrap().author_key_digest,
        [0xa0; 48]
    );
}

#[test]
fn a_tcb_version_with_bytes_of_another_product_is_refused() {
    for at in [0x3a, 0x183, 0x1e4, 0x1f5] {
        refused(&[(at, &[1])], Check::Encoding, "Genoa has no use for");
    }
}

#[test]
fn a_chain_of_another_root_is_refused() {
    let (amd, other) = (Amd::new(&Certified::vcek()), Amd::new(&Certified::vcek()));
    let report = amd.report(&[]);
    for anchors in [other.anchors(), crate::evidence::amd_roots().unwrap()] {
        let refusal = verify(&report, &amd.chain(), &anchors, now()).unwrap_err();
        assert_eq!(refusal.check(), Check::TrustAnchor, "{refusal}");
    }
}

#[test]
fn a_certificate_that_another_authority_issued_is_refused() {
    let (amd, other) = (Amd::new(&Certified::vcek()), Amd::new(&Certified::vcek()));
    let chain = SnpChain::new(other.endorsement(), amd.authority());
    let refusal = verify(&other.report(&[]), &chain, &amd.anchors(), now()).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Signature, Part::Leaf), "{refusal}");
    let refusal = SnpChain::of_vcek(amd.endorsement()).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Chain, Part::Leaf), "{refusal}");
    let refusal = SnpChain::of_vcek(vec![0x30]).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Encoding, Part::Leaf), "{refusal}");
}

#[test]
fn a_report_that_another_chips_key_signed_is_refused() {
    let (amd, other) = (Amd::new(&Certified::vcek()), Amd::new(&Certified::vcek()));
    let refusal = verify(&other.report(&[]), &amd.chain(), &amd.anchors(), now()).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Signature, Part::Report), "{refusal}");
}

#[test]
fn a_certificate_expired_by_one_second_is_refused() {
    let amd = Amd::new(&Certified::vcek());
    let at = |when| verify(&amd.report(&[]), &amd.chain(), &amd.anchors(), time(when));
    assert!(at("20260601T000000Z").is_ok());
    assert!(at("20260701T000000Z").is_ok(), "the last second counts");
    for when in ["20260531T235959Z", "20260701T000001Z"] {
        assert_eq!(at(when).unwrap_err().check(), Check::Validity, "{when}");
    }
}

#[test]
fn a_key_on_another_curve_is_refused() {
    let certified = Certified {
        on_p256: true,
        ..Certified::vcek()
    };
    refused_certificate(&certified, Check::Algorithm, "P-384");
}

#[test]
fn a_certificate_for_another_chip_is_refused() {
    for id in [vec![0xc2; 64], vec![0xc1; 63], vec![0xc1; 8], vec![]] {
        let certified = Certified {
            hardware_id: Some(id),
            ..Certified::vcek()
        };
        refused_certificate(&certified, Check::Binding, "another chip");
    }
    let wrapped = Certified {
        hardware_id: Some([&[4, 64], [0xc1; 64].as_slice()].concat()),
        ..Certified::vcek()
    };
    assert!(verified(&Amd::new(&wrapped), &[]).is_ok());
}

#[test]
fn a_masked_chip_id_is_refused_unless_a_providers_key_signed() {
    let masked: Change<'_> = (0x1a0, &[0; 64]);
    let refusal = verified(&Amd::new(&Certified::vcek()), &[masked]).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Binding, Part::Leaf), "{refusal}");
    assert!(refusal.found().contains("keeps its own chip's id"), "{refusal}");
    for flags in [1 << 2, 1 << 2 | 2] {
        let genuine = verified(&Amd::new(&Certified::vlek()), &[masked, (0x48, &[flags])]).unwrap();
        let claims = genuine.claims();
        assert_eq!(claims.platform, CSP_ID);
        let csp_id = CSP_ID.to_owned();
        assert_eq!(claims.snp.as_ref().unwrap().endorser, Endorser::Vlek { csp_id });
    }
}

#[test]
fn a_key_of_another_kind_than_the_report_says_is_refused() {
    let refusal = verified(&Amd::new(&Certified::vcek()), &[(0x48, &[1 << 2])]).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Binding, Part::Leaf), "{refusal}");
    refused_certificate(&Certified::vlek(), Check::Binding, "it is of a VLEK");
    let both = Certified {
        csp_id: Some(CSP_ID),
        ..Certified::vcek()
    };
    let neither = Certified {
        hardware_id: None,
        ..Certified::vcek()
    };
    for certified in [both, neither] {
        refused_certificate(&certified, Check::Binding, "not exactly one");
    }
}

#[test]
fn a_certificate_for_other_firmware_is_refused() {
    for tcb in [
        TcbVersion {
            boot_loader: 8,
            ..TCB
        },
        TcbVersion { tee: 0, ..TCB },
        TcbVersion { snp: 21, ..TCB },
        TcbVersion {
            microcode: 0x51,
            ..TCB
        },
    ] {
        let certified = Certified {
            tcb,
            ..Certified::vcek()
        };
        refused_certificate(&certified, Check::Binding, "it is of a key for");
    }
}

#[test]
fn a_certificate_that_leaves_something_out_is_refused() {
    let names: [&[u64]; 5] = [&[2], &[3, 1], &[3, 2], &[3, 3], &[3, 8]];
    for without in names {
        let certified = Certified {
            without,
            ..Certified::vcek()
        };
        refused_certificate(&certified, Check::Encoding, "does not name its");
    }
}

#[test]
fn a_certificate_of_another_product_is_refused() {
    let of = |product_name| Certified {
        product_name,
        ..Certified::vcek()
    };
    refused_certificate(&of("Milan-B0"), Check::Binding, "it is of Milan");
    refused_certificate(&of("Venice-A0"), Check::Kind, "not known");
    refused_certificate(&of(""), Check::Encoding, "a name");
    assert!(verified(&Amd::new(&of("Siena-B0")), &[]).is_ok());
}

#[test]
fn turins_layout_is_its_own() {
    let certified = Certified::turin();
    let amd = Amd::new(&certified);
    let TcbVersion {
        fmc,
        boot_loader,
        tee,
        snp,
        microcode,
    } = certified.tcb;
    let version = [fmc, boot_loader, tee, snp, 0, 0, 0, microcode];
    let versions = [0x38, 0x180, 0x1e0, 0x1f0].map(|at| (at, version.as_slice()));
    let id = [[0xc1; 8].as_slice(), &[0; 56]].concat();
    let right = [&versions[..], &[(0x188, &[0x1a, 0x02]), (0x1a0, &id)]].concat();
    let genuine = verified(&amd, &right).unwrap();
    let claims = genuine.claims().snp.clone().unwrap();
    assert_eq!(
        (claims.product, claims.launch_tcb),
        (Product::Turin, certified.tcb)
    );
    for (change, check) in [
        ((0x180, [fmc + 1].as_slice()), Check::Binding),
        ((0x1a8, &[1]), Check::Binding),
        ((0x1a0, &[0xc2]), Check::Binding),
        ((0x1e5, &[1]), Check::Encoding),
    ] {
        let refusal = verified(&amd, &[&right[..], &[change]].concat()).unwrap_err();
        assert_eq!(refusal.check(), check, "{refusal}");
    }
    let without = Certified {
        without: &[3, 9],
        ..certified
    };
    let refusal = verified(&Amd::new(&without), &right).unwrap_err();
    assert_eq!(parts(&refusal), (Check::Encoding, Part::Leaf), "{refusal}");
}

#[test]
fn any_bit_of_a_report_that_is_altered_is_noticed() {
    let amd = Amd::new(&Certified::vcek());
    let (report, chain, anchors) = (amd.report(&[]), amd.chain(), amd.anchors());
    for at in 0..LENGTH {
        for bit in 0..8 {
            let mut altered = report.clone();
            altered[at] ^= 1 << bit;
            assert!(
                verify(&altered, &chain, &anchors, now()).is_err(),
                "bit {bit} of {at:#x}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..1300),
        leaf in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let anchors = crate::evidence::amd_roots().unwrap();
        let chain = SnpChain::new(leaf.clone(), leaf);
        prop_assert!(verify(&bytes, &chain, &anchors, now()).is_err());
        let mut report = unsigned(&[]);
        report.iter_mut().zip(&bytes).skip(8).for_each(|(to, from)| *to = *from);
        prop_assert!(verify(&report, &chain, &anchors, now()).is_err());
    }
}
