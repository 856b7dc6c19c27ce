//! A certificate authority for this one demo, and the gateway's certificate signed by it.

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::place::Place;

/// Writes `ca.pem`, `cert.pem` and `key.pem`. The authority's own key is forgotten.
pub(super) fn write(place: &Place) -> anyhow::Result<()> {
    let [authority, certificate, key] = make().context("making certificates")?;
    place.write("ca.pem", &authority)?;
    place.write("cert.pem", &certificate)?;
    place.write("key.pem", &key)?;
    Ok(())
}

fn make() -> Result<[String; 3], rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "demo authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let authority = params.self_signed(&authority_key)?;
    let issuer = Issuer::new(params, authority_key);

    let mut params =
        CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "demo gateway");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python's ssl refuses a leaf that does not name its authority's key.
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok([authority.pem(), certificate.pem(), key.serialize_pem()])
}
