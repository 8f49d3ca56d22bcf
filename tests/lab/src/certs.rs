//! The keys and certificates of a control plane, and the kubeconfig files that hold them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// The object identifier of the organization in a subject, which Kubernetes reads as a group.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// A certificate authority for one control plane; no other system trusts it.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A private key and its certificate, both in PEM.
#[derive(Clone)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    /// Generates a new authority.
    ///
    /// # Errors
    /// When no key can be generated.
    pub fn new() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject("nfsprov-lab", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("cannot generate the CA's key")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("cannot make the CA's certificate")?;
        Ok(Self { issuer })
    }

    /// The authority's own certificate in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server's identity for `names` (DNS names and IP addresses).
    ///
    /// # Errors
    /// If a name is invalid, or signing fails.
    pub fn server(&self, names: &[&str]) -> Result<Identity> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).context("cannot make a server certificate")?;
        params.distinguished_name = subject("kube-apiserver", &[])?;
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's identity; the API server authenticates it as `user` in `groups`.
    ///
    /// # Errors
    /// When there are more than two groups, or signing fails.
    pub fn client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(user, groups)?;
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().context("cannot generate a key")?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .context("cannot sign a certificate")?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Identity {
    /// Writes the certificate and the key to `<stem>.crt` and `<stem>.key` in `dir` and returns their paths.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path, stem: &str) -> Result<(PathBuf, PathBuf)> {
        let paths = (dir.join(format!("{stem}.crt")), dir.join(format!("{stem}.key")));
        write_private(&paths.0, &self.certificate)?;
        write_private(&paths.1, &self.key)?;
        Ok(paths)
    }

    /// Writes a kubeconfig for `server` (a URL) with this identity and the authority's certificate in it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, authority: &Authority, server: &str, path: &Path) -> Result<()> {
        write_private(path, &self.kubeconfig(authority, server)?)
    }

    /// The text of a kubeconfig for `server` (a URL) with this identity and the authority's certificate in it.
    ///
    /// # Errors
    /// When the certificate cannot be encoded.
    pub fn kubeconfig(&self, authority: &Authority, server: &str) -> Result<String> {
        let (ca, certificate, key) = (
            base64(&authority.pem())?,
            base64(&self.certificate)?,
            base64(&self.key)?,
        );
        Ok(format!(
            "apiVersion: v1
kind: Config
current-context: lab
clusters:
- name: lab
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: lab
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: lab
  context:
    cluster: lab
    user: lab
"
        ))
    }
}

/// Writes a new key pair for service account tokens in PEM into `dir`. Returns the paths of the private key, which
/// signs tokens, and of the public key, which verifies them.
///
/// # Errors
/// When a file cannot be written.
pub fn write_signing_key(dir: &Path) -> Result<(PathBuf, PathBuf)> {
    let key = KeyPair::generate().context("cannot generate the service accounts' signing key")?;
    let paths = (dir.join("service-accounts.key"), dir.join("service-accounts.pub"));
    write_private(&paths.0, &key.serialize_pem())?;
    write_private(&paths.1, &key.public_key_pem())?;
    Ok(paths)
}

fn subject(user: &str, groups: &[&str]) -> Result<DistinguishedName> {
    let mut name = DistinguishedName::new();
    // rcgen accepts an attribute type only once, so the second group spells out the object identifier of the same
    // attribute.
    let attributes = [DnType::OrganizationName, DnType::CustomDnType(ORGANIZATION.to_vec())];
    if groups.len() > attributes.len() {
        bail!(
            "a certificate of the lab holds at most two groups, but {user} has {}",
            groups.join(", ")
        );
    }
    for (attribute, &group) in attributes.into_iter().zip(groups) {
        name.push(attribute, group);
    }
    name.push(DnType::CommonName, user);
    Ok(name)
}

/// Base64, the encoding of bytes in Kubernetes objects.
fn base64(text: &str) -> Result<String> {
    let value = serde_json::to_value(ByteString(text.as_bytes().to_vec())).context("cannot encode a certificate")?;
    value.as_str().map(str::to_owned).context("cannot encode a certificate")
}

pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let describe = || format!("cannot write {}", path.display());
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path);
    file.with_context(describe)?
        .write_all(text.as_bytes())
        .with_context(describe)
}
