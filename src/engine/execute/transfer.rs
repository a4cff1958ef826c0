//! Moving content: what may run on any thread, since it changes nothing that anybody sees.
//!
//! A job owns what it needs and answers once; only the lane puts things in place, commits and stores.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::operation::{LocalSeen, RemoteSeen};
use crate::engine::ports::{
    Download, DownloadKey, LookUp, NO_SPACE, Offer, Ports, Ready, RemoteError, Sink, Staged,
};
use crate::model::name::Name;
use crate::model::{RelPath, SeenAt, Signature, Zone};

use super::options::Packages;
use super::report::StepFailure;
use super::verified_calls;

/// After a fetch as long as this the version on offer is compared once more (`docs/protocol.md` §11.1).
const LONG_FETCH: Duration = Duration::from_secs(10);
/// So many bytes more than ever before are progress of a fetch.
const PROGRESS: u64 = 64 << 10;
/// Two looks at a file that suddenly has no content lie this far apart (`docs/sync.md` §3).
const EMPTY_LOOKS_APART: Duration = Duration::from_secs(10);

/// What all jobs share.
pub(super) struct Context<'a> {
    pub(super) ports: Ports<'a>,
    pub(super) packages: Packages,
    /// No file that is larger comes here, whatever was announced.
    pub(super) max_file_size: Option<u64>,
    /// Set when the pass has ended: transfers give up at the next piece.
    pub(super) abort: &'a AtomicBool,
    /// Bytes transferred in this pass; a counter that only grows.
    pub(super) bytes: &'a AtomicU64,
}

/// Content to bring or to send.
pub(super) enum Work {
    /// Fetch a version.
    Fetch {
        /// The file that it would replace holds content.
        over_content: bool,
    },
    /// Send a version of a local file ahead.
    Stage {
        /// The file.
        local: LocalSeen,
        /// The zone of the folder it comes into.
        zone: Zone,
        /// Its name there.
        name: Name,
    },
    /// Find out whether both hold the same.
    Compare {
        /// The local file.
        local: LocalSeen,
    },
}

/// One job.
pub(super) struct Job {
    /// The operation's index.
    pub(super) index: usize,
    /// The remote version; `None` when only something new is sent.
    pub(super) remote: Option<RemoteSeen>,
    /// Where content that comes will stand.
    pub(super) path: RelPath,
    pub(super) work: Work,
    /// Whether unequal signatures prove different contents now.
    pub(super) proves_difference: bool,
}

/// A complete, durable download that waits to be put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) ready: Ready,
    pub(super) package: bool,
    /// Whether the service's signature fitted; `None` where it told none.
    pub(super) matched: bool,
}

/// Local content that lies on iCloud's servers.
#[derive(Clone, Debug)]
pub(super) struct StagedContent {
    pub(super) staged: Staged,
    pub(super) signature: Signature,
    /// When reading began: what the racy flag is judged by.
    pub(super) read_at: SeenAt,
}

/// What a job brought.
#[derive(Clone, Debug)]
pub(super) enum Arrived {
    /// Content of the remote version.
    Content(Content),
    /// Local content that lies on iCloud's servers.
    Staged(StagedContent),
    /// Both hold the same, of that signature.
    Equal { signature: Signature, package: bool },
    /// They differ; the remote content, if it had to be fetched to see that.
    Different(Option<Content>),
}

impl Job {
    /// Whether an offer is asked for it.
    fn asks(&self) -> bool {
        let Some(remote) = &self.remote else { return false };
        match &self.work {
            Work::Stage { .. } => false,
            Work::Fetch { .. } => remote.size.is_some_and(|size| size > 0) || remote.package,
            Work::Compare { local } => {
                remote.package || remote.size.is_some_and(|size| size > 0 && size == local.stamp.size)
            }
        }
    }

    /// Bytes it is going to move.
    pub(super) fn weight(&self) -> u64 {
        match &self.work {
            Work::Stage { local, .. } => local.stamp.size,
            _ => self.remote.as_ref().and_then(|remote| remote.size).unwrap_or(0),
        }
    }
}

/// Runs a group of jobs: their offers are asked for in one call, then one after the other.
pub(super) fn run(
    context: &Context<'_>,
    jobs: &[Job],
    report: &mut dyn FnMut(usize, Result<Arrived, StepFailure>),
) {
    let asking: Vec<_> = jobs.iter().filter(|job| job.asks()).filter_map(|job| job.remote.as_ref()).collect();
    let ids: Vec<_> = asking.iter().map(|remote| remote.id.clone()).collect();
    let mut offers =
        if ids.is_empty() || context.stopped() { Vec::new() } else { context.ports.remote.offers(&ids) }
            .into_iter();
    for job in jobs {
        let offer = if job.asks() {
            Some(offers.next().unwrap_or_else(|| Err(RemoteError::Damaged("no offer came".into()))))
        } else {
            None
        };
        let result = if context.stopped() {
            Err(StepFailure::again("the pass ended"))
        } else {
            one(context, job, offer)
        };
        report(job.index, result);
    }
}

fn one(
    context: &Context<'_>,
    job: &Job,
    offer: Option<Result<Offer, RemoteError>>,
) -> Result<Arrived, StepFailure> {
    match (&job.work, &job.remote) {
        (Work::Stage { local, zone, name }, _) => stage(context, local, zone, name),
        (Work::Fetch { over_content }, Some(remote)) => {
            let offer = context.offer(remote, offer.transpose()?, *over_content)?;
            context.fetch(job, remote, offer.as_ref()).map(Arrived::Content)
        }
        (Work::Compare { local }, Some(remote)) => context.compare(job, remote, local, offer.transpose()?),
        (Work::Fetch { .. } | Work::Compare { .. }, None) => {
            Err(StepFailure::Aside("it has no version on iCloud to fetch".into()))
        }
    }
}

impl Context<'_> {
    fn stopped(&self) -> bool {
        self.abort.load(Ordering::Relaxed)
    }

    /// Judges the offer; `None` for a file without content, which nobody asks for (`docs/protocol.md` §11.2).
    fn offer(
        &self,
        remote: &RemoteSeen,
        offer: Option<Offer>,
        over_content: bool,
    ) -> Result<Option<Offer>, StepFailure> {
        if let Some(offer) = offer {
            return self.accept(remote, offer).map(Some);
        }
        let item = self.look_again(remote)?;
        if item.entry.size.get().is_some_and(|size| size > 0) {
            // The size came only with this look: the next plan knows it.
            return Err(StepFailure::replan("iCloud told its size only now"));
        }
        if remote.size == Some(0) || item.entry.size == Some(0) {
            return self.empty_for_sure(remote, over_content).map(|()| None);
        }
        if item.entry.size.get().is_none() {
            // Only the service's offer tells a package from a file without content (§11.5).
            return match verified_calls::only(self.ports.remote.offers(std::slice::from_ref(&remote.id))) {
                Ok(offer) => self.accept(remote, offer).map(Some),
                Err(RemoteError::Refused(_)) => self.empty_for_sure(remote, over_content).map(|()| None),
                Err(error) => Err(error.into()),
            };
        }
        Ok(None)
    }

    /// Before content gives way to nothing, a second look some seconds later must agree (`docs/sync.md` §3).
    fn empty_for_sure(&self, remote: &RemoteSeen, over_content: bool) -> Result<(), StepFailure> {
        if !over_content {
            return Ok(());
        }
        self.ports.clock.pause(EMPTY_LOOKS_APART).map_err(|_| RemoteError::Stopped)?;
        match self.look_again(remote)?.entry.size.get() {
            Some(size) if size > 0 => Err(StepFailure::replan("iCloud told its size only now")),
            _ => Ok(()),
        }
    }

    fn look_again(&self, remote: &RemoteSeen) -> Result<crate::engine::ports::RemoteItem, StepFailure> {
        match verified_calls::look(self.ports.remote, &remote.id, false)? {
            LookUp::Found(item) if item.entry.etag == remote.etag => Ok(item),
            LookUp::Found(_) | LookUp::Gone => Err(StepFailure::replan("it changed on iCloud meanwhile")),
            LookUp::Unknown => Err(StepFailure::again("iCloud does not say what it is now")),
        }
    }

    fn accept(&self, remote: &RemoteSeen, offer: Offer) -> Result<Offer, StepFailure> {
        if offer.etag != remote.etag {
            return Err(StepFailure::replan("it changed on iCloud meanwhile"));
        }
        if offer.package && self.packages == Packages::Skip {
            return Err(StepFailure::Skip("packages are skipped".into()));
        }
        Ok(offer)
    }

    /// Fetches one version whole; one whose signature is wrong is fetched once more.
    fn fetch(&self, job: &Job, remote: &RemoteSeen, offer: Option<&Offer>) -> Result<Content, StepFailure> {
        let Some(offer) = offer else {
            let key = key(job, remote, "", Some(0));
            let mut download = self.ports.disk.download(&key)?;
            if download.offset() > 0 {
                download.restart().map_err(|error| io_failure(&error))?;
            }
            let ready = download.finish(remote.mtime)?;
            return Ok(Content { ready, package: false, matched: false });
        };
        let mut repeated = false;
        // The most bytes that the download held at the end of a try, and what it holds now.
        let mut came = None;
        loop {
            let began = self.ports.clock.uptime();
            let content = match (self.fetch_once(job, remote, offer, repeated, &mut came), came) {
                // One that gets on is not left for later: what has come is continued, and no try is spent.
                (Err(StepFailure::Again { .. }), Some((most, held)))
                    if held >= most.saturating_add(PROGRESS) && !self.stopped() =>
                {
                    came = Some((held, held));
                    continue;
                }
                (result, _) => result?,
            };
            let wrong =
                !content.package && offer.signature.is_some_and(|told| told != content.ready.signature);
            let sizeless = !content.package && remote.size.is_none();
            if (wrong && job.proves_difference) || (sizeless && !content.matched) {
                self.ports.disk.discard(&content.ready);
                if repeated {
                    let why = if wrong && job.proves_difference {
                        "what iCloud sent does not fit its signature, also when fetched again"
                    } else {
                        "iCloud tells neither its size nor a signature that fits, so that nobody can see whether it came whole"
                    };
                    return Err(StepFailure::Aside(why.into()));
                }
                repeated = true;
                continue;
            }
            if self.ports.clock.uptime().saturating_sub(began) >= LONG_FETCH {
                let now = verified_calls::only(self.ports.remote.offers(std::slice::from_ref(&remote.id)))?;
                if now.etag != remote.etag {
                    self.ports.disk.discard(&content.ready);
                    return Err(StepFailure::replan("it changed on iCloud while it was fetched"));
                }
            }
            return Ok(content);
        }
    }

    fn fetch_once(
        &self,
        job: &Job,
        remote: &RemoteSeen,
        offer: &Offer,
        from_start: bool,
        came: &mut Option<(u64, u64)>,
    ) -> Result<Content, StepFailure> {
        let size = if offer.package { None } else { remote.size };
        let download = self.ports.disk.download(&key(job, remote, &offer.signature_text, size))?;
        let mut from = download.offset();
        let mut counted = Counted { inner: download, context: self, failed: None, held: from };
        // A package is made on demand and cannot be resumed (§11.4); more than the whole is no part of it.
        if from > 0 && (from_start || offer.package || size.is_none_or(|size| from > size)) {
            counted.restart().map_err(|error| io_failure(&error))?;
            from = 0;
        }
        if size != Some(from) {
            let fetched = self.ports.remote.fetch(offer, size, from, &mut counted);
            came.get_or_insert((from, from)).1 = counted.held;
            let fetched = match fetched {
                Ok(fetched) => fetched,
                Err(error) => return Err(counted.failed.take().unwrap_or_else(|| error.into())),
            };
            if size.is_some_and(|size| fetched.from.saturating_add(fetched.written) != size) {
                return Err(StepFailure::again("iCloud sent fewer or more bytes than it announced"));
            }
        }
        let ready = counted.inner.finish(remote.mtime)?;
        if size.is_some_and(|size| ready.size != size) {
            self.ports.disk.discard(&ready);
            return Err(StepFailure::again("iCloud sent fewer or more bytes than it announced"));
        }
        let matched = !offer.package && offer.signature == Some(ready.signature);
        Ok(Content { ready, package: offer.package, matched })
    }

    /// Compares contents, by signatures where they decide, else by fetching (`docs/protocol.md` §13).
    fn compare(
        &self,
        job: &Job,
        remote: &RemoteSeen,
        local: &LocalSeen,
        offer: Option<Offer>,
    ) -> Result<Arrived, StepFailure> {
        if remote.size.is_some_and(|size| size != local.stamp.size) && !remote.package {
            return Ok(Arrived::Different(None));
        }
        let offer = self.offer(remote, offer, local.stamp.size > 0)?;
        let here = self.signature(local)?;
        match &offer {
            Some(offer) if !offer.package => {
                if offer.signature == Some(here) {
                    return Ok(Arrived::Equal { signature: here, package: false });
                }
                if offer.signature.is_some() && job.proves_difference {
                    return Ok(Arrived::Different(None));
                }
            }
            Some(_) => {}
            None if local.stamp.size > 0 => return Ok(Arrived::Different(None)),
            None => return Ok(Arrived::Equal { signature: here, package: false }),
        }
        let content = self.fetch(job, remote, offer.as_ref())?;
        if content.ready.signature == here {
            self.ports.disk.discard(&content.ready);
            return Ok(Arrived::Equal { signature: here, package: content.package });
        }
        Ok(Arrived::Different(Some(content)))
    }

    /// Reads a local file to its end.
    fn signature(&self, local: &LocalSeen) -> Result<Signature, StepFailure> {
        let mut source = self.ports.disk.open(&local.path, &local.stamp)?;
        let mut piece = vec![0; 1 << 16];
        loop {
            match source.read(&mut piece) {
                Ok(0) => return Ok(source.finish()?),
                Ok(_) if self.stopped() => return Err(StepFailure::again("the pass ended")),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_failure(&error)),
            }
        }
    }
}

fn key(job: &Job, remote: &RemoteSeen, signature_text: &str, size: Option<u64>) -> DownloadKey {
    DownloadKey {
        id: remote.id.clone(),
        etag: remote.etag.clone(),
        signature_text: signature_text.to_owned(),
        size,
        path: job.path.clone(),
    }
}

fn stage(context: &Context<'_>, local: &LocalSeen, zone: &Zone, name: &str) -> Result<Arrived, StepFailure> {
    let read_at = context.ports.seen_at();
    let source = context.ports.disk.open(&local.path, &local.stamp)?;
    let size = local.stamp.size;
    let mut counted = Counted { inner: source, context, failed: None, held: 0 };
    let staged = match context.ports.remote.stage(zone, name, size, &mut counted) {
        Ok(staged) => staged,
        Err(error) => {
            // A file that shrinks under the reader makes a transfer fail: then the file is the reason.
            return Err(match counted.failed.take() {
                Some(failure) => failure,
                None if !error.ends_pass() && changed(context, local) => {
                    StepFailure::replan("it changed here while it was read")
                }
                None => error.into(),
            });
        }
    };
    let signature = counted.inner.finish()?;
    if staged.size != size {
        return Err(StepFailure::again("iCloud received another number of bytes than was sent"));
    }
    Ok(Arrived::Staged(StagedContent { staged, signature, read_at }))
}

fn changed(context: &Context<'_>, local: &LocalSeen) -> bool {
    let found = context.ports.disk.look(&local.path);
    found.is_ok_and(|found| found.is_none_or(|entry| entry.stamp != local.stamp))
}

fn io_failure(error: &io::Error) -> StepFailure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StepFailure::Aside(NO_SPACE.into()),
        _ => StepFailure::again(format!("the disk failed: {error}")),
    }
}

/// Counts what passes, gives up when the pass has ended, and remembers what the disk said.
struct Counted<'a, T> {
    inner: T,
    context: &'a Context<'a>,
    failed: Option<StepFailure>,
    /// Bytes that a download holds.
    held: u64,
}

impl<T> Counted<'_, T> {
    fn passed(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        match &result {
            Ok(count) => {
                let _ = self.context.bytes.fetch_add(*count as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() != io::ErrorKind::Interrupted => self.failed = Some(io_failure(error)),
            Err(_) => {}
        }
        result
    }

    fn may_go_on(&mut self) -> io::Result<()> {
        if self.context.stopped() {
            self.failed = Some(StepFailure::again("the pass ended"));
            return Err(io::Error::other("the pass ended"));
        }
        Ok(())
    }
}

impl Write for Counted<'_, Box<dyn Download>> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.may_go_on()?;
        // A package is pressed together on its way, so only what arrives tells its size.
        if let Some(limit) =
            self.context.max_file_size.filter(|limit| self.held + bytes.len() as u64 > *limit)
        {
            let why = format!("larger than limits.max_file_size: more than {limit} bytes on iCloud");
            self.inner.restart()?;
            self.failed = Some(StepFailure::Skip(why.clone()));
            return Err(io::Error::other(why));
        }
        let result = self.inner.write(bytes);
        if let Ok(count) = &result {
            self.held += *count as u64;
        }
        self.passed(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Sink for Counted<'_, Box<dyn Download>> {
    fn restart(&mut self) -> io::Result<()> {
        self.held = 0;
        self.inner.restart()
    }
}

impl Read for Counted<'_, Box<dyn crate::engine::ports::Source>> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        self.may_go_on()?;
        let result = self.inner.read(piece);
        self.passed(result)
    }
}
