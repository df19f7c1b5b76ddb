//! Metadata of SAML identity providers: strangers' XML, read once, strictly and within bounds.
//!
//! One `EntityDescriptor` with an `IDPSSODescriptor` for SAML 2.0. No document type, no entities but XML's own five, no
//! processing instructions: whoever verifies assertions by a document must not read it in another way than we did.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moho_terms::Timestamp;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

/// The longest document, in bytes.
pub const MAX_METADATA: usize = 256 * 1024;
const MAX_DEPTH: usize = 24;
const MAX_ELEMENTS: usize = 4096;
const MAX_ATTRIBUTES: usize = 32;
const MAX_ENTITY_ID: usize = 1024;
const MAX_CERTIFICATE: usize = 16 * 1024;

const METADATA: &[u8] = b"urn:oasis:names:tc:SAML:2.0:metadata";
const SIGNATURE: &[u8] = b"http://www.w3.org/2000/09/xmldsig#";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";

/// Text that is no metadata of a SAML 2.0 identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SamlError {
    /// It is larger or deeper than any real one.
    #[error("the metadata document is too large or too deep")]
    TooLarge,
    /// It is not XML, or holds what no such document needs.
    #[error(
        "the metadata document is not plain XML, without document type, entities and processing instructions"
    )]
    NotPlainXml,
    /// It is XML, but not this.
    #[error("the metadata document is not one SAML 2.0 EntityDescriptor with {0}")]
    Lacks(&'static str),
}

/// A metadata document that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct SamlMetadata {
    text: String,
    entity_id: String,
    valid_until: Option<Timestamp>,
    certificates: Vec<Vec<u8>>,
}

impl SamlMetadata {
    /// Reads a document.
    ///
    /// # Errors
    /// [`SamlError`]: it is none.
    pub fn parse(text: &str) -> Result<Self, SamlError> {
        if text.len() > MAX_METADATA {
            return Err(SamlError::TooLarge);
        }
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        let mut reading = Reading::default();
        loop {
            let (namespace, event) = reader
                .read_resolved_event()
                .map_err(|_malformed| SamlError::NotPlainXml)?;
            match event {
                Event::Start(start) => reading.begin(&namespace, &start)?,
                Event::End(_) => reading.end()?,
                Event::Text(piece) => {
                    let piece = piece.decode().map_err(|_malformed| SamlError::NotPlainXml)?;
                    reading.text(&piece)?;
                }
                Event::CData(_) | Event::GeneralRef(_) => reading.no_certificate()?,
                Event::Comment(_) => reading.comment()?,
                Event::Decl(_) if reading.elements == 0 => {}
                Event::Decl(_) | Event::DocType(_) | Event::PI(_) | Event::Empty(_) => {
                    return Err(SamlError::NotPlainXml);
                }
                Event::Eof => break,
            }
        }
        reading.finish(text)
    }

    /// The document, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The provider's own name.
    #[must_use]
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// When the document ends to hold, if it says so.
    #[must_use]
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }

    /// The certificates whose keys sign assertions, in DER.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }
}

/// The entity's name: the document is long.
impl fmt::Debug for SamlMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SamlMetadata({})", self.entity_id)
    }
}

/// Elements that are looked at; everything else is passed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Entity,
    Provider,
    SigningKey,
    OtherKey,
    Certificate,
    Other,
}

#[derive(Default)]
struct Reading {
    open: Vec<Element>,
    elements: usize,
    entity_id: Option<String>,
    valid_until: Option<Timestamp>,
    providers: usize,
    signs_on: bool,
    certificate: String,
    certificates: Vec<Vec<u8>>,
}

impl Reading {
    fn begin(&mut self, namespace: &ResolveResult<'_>, start: &BytesStart<'_>) -> Result<(), SamlError> {
        self.elements = self.elements.saturating_add(1);
        if self.elements > MAX_ELEMENTS || self.open.len() >= MAX_DEPTH {
            return Err(SamlError::TooLarge);
        }
        if self.open.is_empty() && self.elements > 1 {
            return Err(SamlError::NotPlainXml);
        }
        let attributes = Attributes::of(start)?;
        let space = match namespace {
            ResolveResult::Bound(Namespace(space)) => *space,
            ResolveResult::Unbound => b"",
            ResolveResult::Unknown(_) => return Err(SamlError::NotPlainXml),
        };
        let local = start.local_name();
        let element = self.element(space, local.as_ref(), &attributes)?;
        if self.open.contains(&Element::Certificate) {
            return Err(SamlError::NotPlainXml);
        }
        self.open.push(element);
        Ok(())
    }

    fn element(&mut self, space: &[u8], local: &[u8], attributes: &Attributes) -> Result<Element, SamlError> {
        let within = self.open.last().copied();
        let metadata = space == METADATA;
        Ok(match (within, local) {
            (None, b"EntityDescriptor") if metadata => {
                self.entity(attributes)?;
                Element::Entity
            }
            (None, _) => return Err(SamlError::Lacks("an entityID")),
            (Some(Element::Entity), b"IDPSSODescriptor") if metadata && attributes.speaks_saml() => {
                self.providers = self.providers.saturating_add(1);
                Element::Provider
            }
            (Some(Element::Provider), b"SingleSignOnService") if metadata => {
                self.signs_on |= attributes.leads_somewhere();
                Element::Other
            }
            (Some(Element::Provider), b"KeyDescriptor") if metadata => match attributes.get("use") {
                None | Some("signing") => Element::SigningKey,
                Some(_) => Element::OtherKey,
            },
            (Some(_), b"X509Certificate")
                if space == SIGNATURE && self.open.contains(&Element::SigningKey) =>
            {
                self.certificate.clear();
                Element::Certificate
            }
            _ => Element::Other,
        })
    }

    fn entity(&mut self, attributes: &Attributes) -> Result<(), SamlError> {
        let id = attributes.get("entityID").unwrap_or("");
        if id.is_empty() || id.len() > MAX_ENTITY_ID || id.chars().any(char::is_control) {
            return Err(SamlError::Lacks("an entityID"));
        }
        self.entity_id = Some(id.to_owned());
        if let Some(until) = attributes.get("validUntil") {
            self.valid_until = Some(date_time(until).ok_or(SamlError::Lacks("a readable validUntil"))?);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), SamlError> {
        if self.open.pop() == Some(Element::Certificate) {
            let text: String = self.certificate.split_ascii_whitespace().collect();
            let der = STANDARD.decode(text).ok();
            // A certificate is a SEQUENCE.
            let der = der.filter(|der| der.first() == Some(&0x30));
            self.certificates
                .push(der.ok_or(SamlError::Lacks("readable X509Certificates"))?);
        }
        Ok(())
    }

    fn text(&mut self, piece: &str) -> Result<(), SamlError> {
        match self.open.last() {
            Some(Element::Certificate) => {
                self.certificate.push_str(piece);
                if self.certificate.len() > MAX_CERTIFICATE {
                    return Err(SamlError::TooLarge);
                }
                Ok(())
            }
            None if !piece.trim_start_matches('\u{feff}').trim().is_empty() => Err(SamlError::NotPlainXml),
            _ => Ok(()),
        }
    }

    /// What may not be part of a certificate, nor stand outside the document.
    fn no_certificate(&self) -> Result<(), SamlError> {
        match self.open.last() {
            Some(Element::Certificate) | None => Err(SamlError::NotPlainXml),
            _ => Ok(()),
        }
    }

    /// A comment may stand around the document, but not cut a certificate in two.
    fn comment(&self) -> Result<(), SamlError> {
        if self.open.last() == Some(&Element::Certificate) {
            Err(SamlError::NotPlainXml)
        } else {
            Ok(())
        }
    }

    fn finish(self, text: &str) -> Result<SamlMetadata, SamlError> {
        if !self.open.is_empty() {
            return Err(SamlError::NotPlainXml);
        }
        let entity_id = self.entity_id.ok_or(SamlError::Lacks("an entityID"))?;
        if self.providers == 0 {
            return Err(SamlError::Lacks("an IDPSSODescriptor"));
        }
        if !self.signs_on {
            return Err(SamlError::Lacks("a SingleSignOnService"));
        }
        if self.certificates.is_empty() {
            return Err(SamlError::Lacks("a signing certificate"));
        }
        Ok(SamlMetadata {
            text: text.to_owned(),
            entity_id,
            valid_until: self.valid_until,
            certificates: self.certificates,
        })
    }
}

/// An element's attributes without a prefix, each once.
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of(start: &BytesStart<'_>) -> Result<Self, SamlError> {
        let mut read = Vec::new();
        for (number, attribute) in start.attributes().enumerate() {
            if number >= MAX_ATTRIBUTES {
                return Err(SamlError::TooLarge);
            }
            let attribute = attribute.map_err(|_malformed| SamlError::NotPlainXml)?;
            // Unescaping knows XML's own five entities and no other.
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_malformed| SamlError::NotPlainXml)?;
            let name = attribute.key;
            if name.prefix().is_none() {
                let name = String::from_utf8_lossy(name.as_ref()).into_owned();
                read.push((name, value.into_owned()));
            }
        }
        Ok(Self(read))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn speaks_saml(&self) -> bool {
        let protocols = self.get("protocolSupportEnumeration").unwrap_or("");
        protocols
            .split_ascii_whitespace()
            .any(|protocol| protocol == PROTOCOL)
    }

    fn leads_somewhere(&self) -> bool {
        let to = self.get("Location").unwrap_or("");
        self.get("Binding").is_some() && (to.starts_with("https://") || to.starts_with("http://"))
    }
}

/// `2030-01-02T03:04:05Z`, with or without a fraction, which is dropped.
fn date_time(text: &str) -> Option<Timestamp> {
    let whole = text.strip_suffix('Z')?;
    let whole = match whole.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()) => {
            whole
        }
        Some(_) => return None,
        None => whole,
    };
    let marks = whole.bytes().enumerate().all(|(at, b)| match at {
        4 | 7 => b == b'-',
        10 => b == b'T',
        13 | 16 => b == b':',
        _ => b.is_ascii_digit(),
    });
    if whole.len() != 19 || !marks {
        return None;
    }
    let basic: String = whole.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    Timestamp::parse_iso8601_basic(&format!("{basic}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
    entityID="https://idp.example.org/&amp;x" validUntil="2030-01-02T03:04:05.678Z">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
      MAAw
      ADAA
    </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>not looked at</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.org/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
"#;

    #[test]
    fn a_document_is_read() {
        let read = SamlMetadata::parse(GOOD).unwrap();
        assert_eq!(read.entity_id(), "https://idp.example.org/&x");
        assert_eq!(
            read.valid_until(),
            Some(Timestamp::parse_iso8601_basic("20300102T030405Z").unwrap())
        );
        assert_eq!(read.certificates(), [vec![0x30, 0, 0x30, 0, 0x30, 0]]);
        assert_eq!(read.as_str(), GOOD);
        // It is the namespace that counts, not its prefix.
        let other = GOOD.replace("xmlns:md=", "xmlns=").replace("md:", "");
        assert_eq!(SamlMetadata::parse(&other).unwrap().entity_id(), read.entity_id());
    }

    #[test]
    fn what_is_no_plain_document_is_refused() {
        let with = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            SamlMetadata::parse(&GOOD.replacen(from, to, 1)).unwrap_err()
        };
        let plain = [
            ("<!-- made by hand -->", "<!DOCTYPE x [<!ENTITY a \"b\">]>"),
            ("<!-- made by hand -->", "<?php echo ?>"),
            ("<!-- made by hand -->", "words"),
            ("&amp;x", "&x;"),
            ("MAAw", "MA<!-- -->Aw"),
            ("MAAw", "<![CDATA[MAAw]]>"),
            ("MAAw", "&#77;AAw"),
            ("MAAw", "<x/>MAAw"),
            ("</md:EntityDescriptor>", "</md:EntityDescriptor><x/>"),
            ("</md:EntityDescriptor>", ""),
            ("</md:IDPSSODescriptor>", "</md:Other>"),
            ("entityID=", "entityID=\"twice\" entityID="),
            ("<md:IDPSSODescriptor", "<unbound:IDPSSODescriptor"),
        ];
        for (from, to) in plain {
            assert_eq!(with(from, to), SamlError::NotPlainXml, "{from} → {to}");
        }
        let lacking = [
            ("SAML:2.0:metadata", "SAML:1.0:metadata"),
            ("entityID=", "entityId="),
            ("https://idp.example.org/&amp;x", ""),
            ("2030-01-02T03:04:05.678Z", "2030-01-02"),
            ("2030-01-02T03:04:05.678Z", "2030-13-02T03:04:05Z"),
            (" urn:oasis:names:tc:SAML:2.0:protocol", ""),
            ("use=\"signing\"", "use=\"encryption\""),
            ("MAAw", "????"),
            ("MAAw", "AAAA"),
            ("https://idp.example.org/sso", "javascript:alert(1)"),
        ];
        for (from, to) in lacking {
            assert!(matches!(with(from, to), SamlError::Lacks(_)), "{from} → {to}");
        }
    }

    #[test]
    fn no_document_is_too_much() {
        let many = "<x/>".repeat(MAX_ELEMENTS);
        let deep = format!("{}{}", "<x>".repeat(MAX_DEPTH), "</x>".repeat(MAX_DEPTH));
        let wide: String = (0..=MAX_ATTRIBUTES)
            .map(|number| format!(" a{number}=\"\""))
            .collect();
        let wide = format!("<x{wide}/>");
        let long = " ".repeat(MAX_METADATA);
        for more in [many, deep, wide, long] {
            let text = GOOD.replace("</md:EntityDescriptor>", &format!("{more}</md:EntityDescriptor>"));
            assert_eq!(SamlMetadata::parse(&text), Err(SamlError::TooLarge));
        }
        let key = GOOD.replace("MAAw", &"MAAw".repeat(MAX_CERTIFICATE));
        assert_eq!(SamlMetadata::parse(&key), Err(SamlError::TooLarge));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            prop_assert!(SamlMetadata::parse(&text).is_err());
        }

        #[test]
        fn a_document_that_is_cut_is_none(at in 0..GOOD.len()) {
            if let Some(part) = GOOD.get(..at) {
                let whole = part.trim_end().ends_with("</md:EntityDescriptor>");
                prop_assert_eq!(SamlMetadata::parse(part).is_ok(), whole);
            }
        }
    }
}
