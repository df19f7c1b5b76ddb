//! Against a simulated TPM (swtpm) with an endorsement certificate, and with tpm2-tools as the other side.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use moho_attest::evidence::tpm::{AttestationKey, Quote};
use moho_attest::evidence::{Bank as EvidenceBank, Registers};
use moho_tpm::{Attester, Bank, Endorsement, PcrSelection, Tpm, TpmError, TpmSocket};

/// A simulator of the test's own, gone with it.
struct Simulator {
    folder: tempfile::TempDir,
    process: Child,
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .expect("swtpm, swtpm-tools and tpm2-tools are installed from Debian");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

impl Simulator {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let certificates = at("ca");
        std::fs::create_dir(&certificates).unwrap();
        let local = format!(
            "statedir = {certificates}\nsigningkey = {certificates}/key.pem\nissuercert = {certificates}/ca.pem\n\
             certserial = {certificates}/serial\n"
        );
        std::fs::write(at("localca.conf"), local).unwrap();
        std::fs::write(
            at("options"),
            "--platform-manufacturer test\n--platform-version 1\n--platform-model test\n",
        )
        .unwrap();
        let setup = format!(
            "create_certs_tool = /usr/bin/swtpm_localca\ncreate_certs_tool_config = {}\ncreate_certs_tool_options = {}\n",
            at("localca.conf"),
            at("options")
        );
        std::fs::write(at("setup.conf"), setup).unwrap();
        run(Command::new("swtpm_setup")
            .args([
                "--tpm2",
                "--create-ek-cert",
                "--pcr-banks",
                "sha256,sha384",
                "--overwrite",
                "--tpmstate",
            ])
            .arg(folder.path())
            .args(["--config", &at("setup.conf")]));
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", folder.path().display())])
            .args(["--server", &format!("type=unixio,path={}", at("socket"))])
            .args(["--ctrl", &format!("type=unixio,path={}", at("control"))])
            .spawn()
            .expect("swtpm is installed from Debian");
        let mut simulator = Self { folder, process };
        // It says nothing when it listens, and its socket appears before. Connecting is no command: it takes the next one all the same.
        while std::os::unix::net::UnixStream::connect(simulator.path("socket")).is_err() {
            assert_eq!(simulator.process.try_wait().unwrap(), None, "swtpm goes on");
            std::thread::yield_now();
        }
        simulator
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tpm(&self) -> Tpm {
        Tpm::open(Box::new(TpmSocket::connect(&self.path("socket")).unwrap())).unwrap()
    }

    /// A file of this content.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn evidence(bank: EvidenceBank, values: &moho_tpm::PcrValues) -> Registers {
    Registers::told(
        bank,
        values.iter().map(|(index, value)| (*index, value.as_slice())),
    )
    .unwrap()
}

/// A `TPM2B` of a public area.
fn sized(public: &[u8]) -> Vec<u8> {
    let length = u16::try_from(public.len()).unwrap();
    [&length.to_be_bytes(), public].concat()
}

fn tool(name: &str, simulator: &Simulator) -> Command {
    let mut command = Command::new(name);
    command
        .env("TPM2TOOLS_TCTI", "none")
        .current_dir(simulator.folder.path());
    command
}

#[test]
fn our_quote_is_verified_by_us_and_by_tpm2_tools() {
    let simulator = Simulator::start();
    let tpm = simulator.tpm();
    let attester = Attester::new(&tpm).unwrap();
    tpm.pcr_extend(11, Bank::Sha256, &[7; 32]).unwrap();
    for (bank, of_evidence, name) in [
        (Bank::Sha256, EvidenceBank::Sha256, "sha256"),
        (Bank::Sha384, EvidenceBank::Sha384, "sha384"),
    ] {
        let indices: Vec<u8> = (0..16).collect();
        let selection = PcrSelection::new(bank, &indices).unwrap();
        let quoted = attester.quote(b"a nonce", &selection).unwrap();
        let key = AttestationKey::read(attester.public()).unwrap();
        let quote = Quote::verify(&quoted.attest, &quoted.signature, &key).unwrap();
        assert_eq!(quote.qualifying_data(), b"a nonce");
        assert_eq!(quote.is_over(&evidence(of_evidence, &quoted.registers)), Ok(()));

        let public = simulator.file("ak.pub", &sized(attester.public()));
        let pem = simulator.path("ak.pem");
        run(tool("tpm2_print", &simulator)
            .args(["-t", "TPM2B_PUBLIC", "-f", "pem"])
            .arg(&public)
            .stdout(std::fs::File::create(&pem).unwrap()));
        let check = |nonce: &str| {
            tool("tpm2_checkquote", &simulator)
                .arg("-u")
                .arg(&pem)
                .arg("-m")
                .arg(simulator.file("quote", &quoted.attest))
                .arg("-s")
                .arg(simulator.file("signature", &quoted.signature))
                .args(["-g", "sha256", "-q", nonce])
                .output()
                .expect("tpm2-tools is installed from Debian")
        };
        let said = check("61206e6f6e6365");
        assert!(
            said.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        assert!(!check("61206e6f6e6366").status.success(), "another nonce");
    }
}

#[test]
fn an_extended_register_is_another_one() {
    let simulator = Simulator::start();
    let tpm = simulator.tpm();
    let attester = Attester::new(&tpm).unwrap();
    let selection = PcrSelection::new(Bank::Sha256, &[4, 7, 11, 12, 13]).unwrap();
    let before = attester.quote(b"", &selection).unwrap();
    tpm.pcr_extend(12, Bank::Sha256, &[1; 32]).unwrap();
    let after = attester.quote(b"", &selection).unwrap();
    let key = AttestationKey::read(attester.public()).unwrap();
    let quote = Quote::verify(&after.attest, &after.signature, &key).unwrap();
    assert!(
        quote
            .is_over(&evidence(EvidenceBank::Sha256, &before.registers))
            .is_err()
    );
    assert!(
        quote
            .is_over(&evidence(EvidenceBank::Sha256, &after.registers))
            .is_ok()
    );
    assert!(tpm.pcr_extend(12, Bank::Sha256, &[1; 31]).is_err());
}

#[test]
fn a_credential_of_tpm2_tools_is_activated_by_the_tpm_that_it_was_made_for_and_by_no_other() {
    let simulator = Simulator::start();
    let (tpm, secret) = (simulator.tpm(), b"a challenge");
    let attester = Attester::new(&tpm).unwrap();
    for which in [Endorsement::Rsa, Endorsement::Ecc] {
        let endorsement = attester.endorsement_public(which).unwrap();
        let key = AttestationKey::read(attester.public()).unwrap();
        let made = credential(&simulator, (&endorsement, &key.name()), secret);
        let (blob, encrypted) = parts(&made);
        assert_eq!(*attester.activate(which, (blob, encrypted)).unwrap(), secret);

        let mut other = key.name();
        *other.last_mut().unwrap() ^= 1;
        let made = credential(&simulator, (&endorsement, &other), secret);
        let error = attester.activate(which, parts(&made)).unwrap_err();
        assert!(
            matches!(
                error,
                TpmError::Refused {
                    command: "TPM2_ActivateCredential",
                    ..
                }
            ),
            "{error}"
        );
    }
    let another = Simulator::start();
    let endorsement = attester.endorsement_public(Endorsement::Rsa).unwrap();
    let elsewhere = another.tpm();
    let elsewhere = Attester::new(&elsewhere).unwrap();
    let key = AttestationKey::read(elsewhere.public()).unwrap();
    let made = credential(&simulator, (&endorsement, &key.name()), secret);
    assert!(
        elsewhere.activate(Endorsement::Rsa, parts(&made)).is_err(),
        "of another TPM's endorsement key"
    );
}

/// What `tpm2_makecredential` makes for an endorsement key and a name.
fn credential(simulator: &Simulator, (endorsement, name): (&[u8], &[u8]), secret: &[u8]) -> Vec<u8> {
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    run(tool("tpm2_makecredential", simulator)
        .args(["-T", "none", "-u"])
        .arg(simulator.file("ek.pub", &sized(endorsement)))
        .arg("-s")
        .arg(simulator.file("secret", secret))
        .args(["-n", &name, "-o", "credential"]));
    std::fs::read(simulator.path("credential")).unwrap()
}

/// The two buffers of tpm2-tools' file, behind its magic number and version.
fn parts(made: &[u8]) -> (&[u8], &[u8]) {
    let length = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let blob = &made[8..];
    let secret = &blob[2 + length(blob)..];
    (&blob[2..2 + length(blob)], &secret[2..2 + length(secret)])
}

#[test]
fn the_endorsement_certificate_is_of_the_endorsement_key() {
    let simulator = Simulator::start();
    let tpm = simulator.tpm();
    let attester = Attester::new(&tpm).unwrap();
    let certificate = attester
        .endorsement_certificate(Endorsement::Rsa)
        .unwrap()
        .unwrap();
    let public = attester.endorsement_public(Endorsement::Rsa).unwrap();
    let modulus = &public[public.len() - 256..];
    assert!(
        certificate.windows(256).any(|window| window == modulus),
        "its key is in the certificate"
    );
    assert_eq!(
        public,
        attester.endorsement_public(Endorsement::Rsa).unwrap(),
        "the same each time"
    );
    let again = Attester::new(&tpm).unwrap();
    assert_eq!(again.public(), attester.public());
}

#[test]
fn what_is_loaded_is_flushed_however_often() {
    let simulator = Simulator::start();
    let tpm = simulator.tpm();
    for _ in 0..20 {
        let attester = Attester::new(&tpm).unwrap();
        assert!(attester.activate(Endorsement::Ecc, (&[0; 34], &[0; 68])).is_err());
    }
}

#[test]
fn a_socket_that_nobody_serves_is_an_error() {
    assert!(TpmSocket::connect(Path::new("/nonexistent/socket")).is_err());
}
