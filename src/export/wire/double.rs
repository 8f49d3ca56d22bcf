//! A double of an NFS server for tests: one function answers every call, and a log keeps them for
//! the test.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use nfs_rs::{
    Attr, ExportEntry, FSInfo, FSStat, Mount, NFSVersion, Nfs3ErrorCode, NfsError, ObjRes, OperationClass,
    OperationOutcome, OperationOutcomeError, Pathconf, ReaddirStream, ReaddirplusEntry, ReaddirplusStream,
    RecoveryAction, RequestContext, Time, WriteOutcome,
};

use super::Wire;
use super::connection::Connection;
use crate::export::{Export, Location};

pub(crate) const TYPE_FILE: u32 = 1;

type Result<T> = std::result::Result<T, NfsError>;

/// What a call gets.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Done,
    /// Handle, type and mode.
    Object(&'static str, u32, u32),
    /// Names and types.
    Entries(&'static [(&'static str, u32)]),
    /// What a symbolic link holds.
    Target(&'static str),
    NotFound,
    NotEmpty,
    Exists,
    Stale,
    CrossDevice,
    BadCookie,
    /// The object was made, and its handle is not told.
    NoHandle,
    /// As the client library tells of a lost session of NFSv4.1.
    SessionLost,
}

/// Answers a call by its name, handle and file name.
type Script = Arc<dyn Fn(&str, &str, &str) -> Answer + Send + Sync>;

/// The calls so far, each as `call handle name`.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

#[derive(Clone)]
pub(crate) struct Double {
    script: Script,
    log: Log,
    version: NFSVersion,
}

impl Double {
    /// A server of NFS 3 that `script` answers for; it gets the name of the call, the handle and the file name.
    pub(crate) fn new(script: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            log: Log::default(),
            version: NFSVersion::NFSv3,
        }
    }

    /// The same, but of another version of NFS; it answers alike.
    pub(crate) fn of_version(self, version: NFSVersion) -> Self {
        Self { version, ..self }
    }

    /// A connection to this server, whose root's handle is `root`, and the log of its calls.
    pub(crate) fn connection(self) -> (Connection, Log) {
        let log = self.log.clone();
        let connection = Connection {
            mount: Box::new(self),
            root: Bytes::from_static(b"root"),
        };
        (connection, log)
    }

    /// An export over two connections like this one: the second is for what has a connection of its own.
    pub(crate) fn export(self, location: Location) -> (Export, Log) {
        let ((second, _), (first, log)) = (self.clone().connection(), self.connection());
        (Export::Wire(Wire::with_connections(vec![second, first], location)), log)
    }

    /// Logs a call and asks the script; an answer that names an error is returned as that error.
    fn ask(&self, call: &str, handle: &Bytes, name: &str) -> Result<Answer> {
        let handle = String::from_utf8_lossy(handle).into_owned();
        self.log.lock().unwrap().push(format!("{call} {handle} {name}"));
        match (self.script)(call, &handle, name) {
            Answer::NotFound => Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOENT)),
            Answer::NotEmpty => Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOTEMPTY)),
            Answer::Exists => Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_EXIST)),
            Answer::Stale => Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_STALE)),
            Answer::CrossDevice => Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_XDEV)),
            Answer::BadCookie => Err(NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_BAD_COOKIE)),
            Answer::NoHandle => Err(NfsError::Rpc("bad file handle".to_owned())),
            Answer::SessionLost => Err(session_lost()),
            answer => Ok(answer),
        }
    }

    /// As [`Double::ask`], at once; every answer that is no error is success.
    fn done<'f>(&self, call: &str, handle: &Bytes, name: &str) -> BoxFuture<'f, Result<()>> {
        let answer = self.ask(call, handle, name).map(drop);
        Box::pin(async move { answer })
    }

    /// As [`Double::ask`], at once; panics if the answer is neither an object nor an error.
    fn object<'f>(&self, call: &str, handle: &Bytes, name: &str) -> BoxFuture<'f, Result<ObjRes>> {
        let answer = self.ask(call, handle, name).map(|answer| match answer {
            Answer::Object(handle, kind, mode) => ObjRes {
                fh: Bytes::from_static(handle.as_bytes()),
                attr: Some(Attr {
                    // A handle that is a number is also the inode's.
                    fileid: handle.parse().unwrap_or_default(),
                    ..attributes(kind, mode)
                }),
            },
            _ => panic!("{call} {name} needs an object"),
        });
        Box::pin(async move { answer })
    }
}

/// The error by which the client library tells of a lost session of NFSv4.1.
pub(crate) fn session_lost() -> NfsError {
    let text = "SEQUENCE slot limits highest=63 target=63 exceed negotiated maximum 15".to_owned();
    let context = RequestContext {
        operation: "REMOVE".to_owned(),
        protocol: NFSVersion::NFSv4p1,
        request_id: None,
    };
    let wrapped = OperationOutcomeError::new(
        OperationOutcome::Uncertain,
        OperationClass::ReplaySensitive,
        RecoveryAction::VerifyThenResume,
        context,
        NfsError::Xdr(text),
    );
    NfsError::OperationOutcome(Box::new(wrapped))
}

fn attributes(kind: u32, mode: u32) -> Attr {
    Attr {
        type_: kind,
        file_mode: mode,
        ..Attr::default()
    }
}

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Double")
    }
}

/// Methods that no test calls; their signatures are those of `async_trait`.
macro_rules! uncalled {
    ($($name:ident<$($life:lifetime),*>($($argument:ty),*) -> $output:ty;)*) => {$(
        fn $name<'a, $($life,)* 'f>(&'a self, $(_: $argument),*) -> BoxFuture<'f, $output>
        where
            'a: 'f,
            $($life: 'f,)*
            Self: 'f,
        {
            unimplemented!()
        }
    )*};
}

impl Mount for Double {
    fn get_max_read_size(&self) -> u32 {
        0
    }

    /// Panics: no test calls it.
    fn get_max_write_size(&self) -> u32 {
        unimplemented!()
    }

    fn version(&self) -> NFSVersion {
        self.version
    }

    /// The attributes of the object that the script answers with.
    fn getattr<'a, 'f>(&'a self, handle: Bytes) -> BoxFuture<'f, Result<Attr>>
    where
        'a: 'f,
        Self: 'f,
    {
        let found = self.object("getattr", &handle, "");
        Box::pin(async move { Ok(found.await?.attr.unwrap_or_default()) })
    }

    fn lookup<'a, 'b, 'f>(&'a self, handle: Bytes, name: &'b str) -> BoxFuture<'f, Result<ObjRes>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.object("lookup", &handle, name)
    }

    /// The mode is not logged.
    fn mkdir<'a, 'b, 'f>(&'a self, handle: Bytes, name: &'b str, _: u32) -> BoxFuture<'f, Result<ObjRes>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.object("mkdir", &handle, name)
    }

    /// Logs the mode, in octal, in the place of the file name; owner and group are not logged.
    fn setattr<'a, 'f>(
        &'a self,
        handle: Bytes,
        _: Option<Time>,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<Time>,
        _: Option<Time>,
    ) -> BoxFuture<'f, Result<()>>
    where
        'a: 'f,
        Self: 'f,
    {
        self.done("setattr", &handle, &format!("{:o}", mode.unwrap_or_default()))
    }

    /// An answer that is neither entries nor an error is an empty directory.
    fn readdirplus<'a, 'f>(&'a self, handle: Bytes) -> BoxFuture<'f, ReaddirplusStream<'a>>
    where
        'a: 'f,
        Self: 'f,
    {
        let found = match self.ask("readdirplus", &handle, "") {
            Ok(Answer::Entries(entries)) => entries.iter().map(|(name, kind)| Ok(entry(name, *kind))).collect(),
            Ok(_) => Vec::new(),
            Err(error) => vec![Err(error)],
        };
        Box::pin(async move { stream::iter(found).boxed() })
    }

    fn remove<'a, 'b, 'f>(&'a self, handle: Bytes, name: &'b str) -> BoxFuture<'f, Result<()>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.done("remove", &handle, name)
    }

    fn rmdir<'a, 'b, 'f>(&'a self, handle: Bytes, name: &'b str) -> BoxFuture<'f, Result<()>>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        self.done("rmdir", &handle, name)
    }

    /// Panics if the answer is neither a target nor an error.
    fn readlink<'a, 'f>(&'a self, handle: Bytes) -> BoxFuture<'f, Result<String>>
    where
        'a: 'f,
        Self: 'f,
    {
        let answer = self.ask("readlink", &handle, "").map(|answer| match answer {
            Answer::Target(target) => target.to_owned(),
            _ => panic!("readlink needs a target"),
        });
        Box::pin(async move { answer })
    }

    /// The target is not logged.
    fn symlink<'a, 'b, 'c, 'f>(&'a self, _: &'b str, handle: Bytes, name: &'c str) -> BoxFuture<'f, Result<ObjRes>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        Self: 'f,
    {
        self.object("symlink", &handle, name)
    }

    /// Only the old handle and name are logged.
    fn rename<'a, 'b, 'c, 'f>(&'a self, from: Bytes, name: &'b str, _: Bytes, _: &'c str) -> BoxFuture<'f, Result<()>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        Self: 'f,
    {
        self.done("rename", &from, name)
    }

    uncalled! {
        null<>() -> Result<()>;
        access<>(Bytes, u32) -> Result<u32>;
        commit<>(Bytes, u64, u32) -> Result<()>;
        commit_with_verifier<>(Bytes, u64, u32) -> Result<Option<[u8; 8]>>;
        create<'b>(Bytes, &'b str, Option<u32>) -> Result<ObjRes>;
        create_path<'b>(&'b str, Option<u32>) -> Result<ObjRes>;
        fsinfo<>() -> Result<FSInfo>;
        fsstat<>() -> Result<FSStat>;
        setattr_path<'b>(&'b str, bool, Option<u32>, Option<u32>, Option<u32>, Option<u64>, Option<Time>, Option<Time>) -> Result<()>;
        getfh<>() -> Bytes;
        link<'b>(Bytes, Bytes, &'b str) -> Result<Attr>;
        link_path<'b, 'c>(&'b str, &'c str) -> Result<Attr>;
        symlink_path<'b, 'c>(&'b str, &'c str) -> Result<ObjRes>;
        lookup_path<'b>(&'b str) -> Result<ObjRes>;
        pathconf<>(Bytes) -> Result<Pathconf>;
        read<>(Bytes, u64, u32) -> Result<Bytes>;
        write<>(Bytes, u64, Bytes) -> Result<WriteOutcome>;
        readdir<>(Bytes) -> ReaddirStream<'a>;
        mkdir_path<'b>(&'b str, u32) -> Result<ObjRes>;
        remove_path<'b>(&'b str) -> Result<()>;
        rmdir_path<'b>(&'b str) -> Result<()>;
        rename_path<'b, 'c>(&'b str, &'c str) -> Result<()>;
        umount<>() -> Result<()>;
        exports<>() -> Result<Vec<ExportEntry>>;
    }
}

/// An entry of mode 0777, whose handle is its name.
fn entry(name: &str, kind: u32) -> ReaddirplusEntry {
    ReaddirplusEntry {
        fileid: 1,
        file_name: name.to_owned(),
        attr: Some(attributes(kind, 0o777)),
        handle: Bytes::copy_from_slice(name.as_bytes()),
    }
}
