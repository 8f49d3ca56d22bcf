//! Finds the names that an export's server has in PVs, by resolving them. Contacts no NFS server.

use k8s_openapi::api::core::v1::PersistentVolume;

use crate::cluster::nfs_volumes::mounted_export;
use crate::export::{Location, ServerNames, used_part};

/// The names of an export's server: its own, `former_server`, and those in PVs that are, or may be, the same server by
/// another name: resolves them. Names in PVs whose path is not on the export are not looked at.
pub async fn find_server_names(
    location: &Location,
    former_server: Option<&str>,
    volumes: &[PersistentVolume],
) -> ServerNames {
    let servers = volumes.iter().filter_map(|volume| {
        let (server, path) = mounted_export(volume)?;
        used_part(&location.path, &path).map(|_| server)
    });
    let own = [location.server.as_str()].into_iter().chain(former_server);
    ServerNames::known(own).compare(servers).await
}
