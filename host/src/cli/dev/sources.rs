//! Builds a project whenever one of its sources changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::bail;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use pointsman_rules::config;
use pointsman_rules::text::chain;

use crate::cli::build::{self, languages_of};
use crate::cli::offline::folder_of;
use crate::cli::print;

/// The time without a further event after which a change is complete: editors write several files at once.
const QUIET: Duration = Duration::from_millis(20);

/// Interval between scans for changes that the system does not report, as on network file systems.
const SCAN_INTERVAL: Duration = Duration::from_secs(2);

/// Folders that hold no sources: the output of builds, and packages.
const NOT_SOURCES: [&str; 6] = ["target", "node_modules", "build", "dist", "zig-out", "__pycache__"];

/// Files that a build or the proxy reads or writes, and that are no sources.
const NOT_BUILT_FROM: [&str; 5] = ["router.tests.json", "pointsman.toml", "Cargo.lock", "package-lock.json", "go.sum"];

/// The file that a project is built into.
const MODULE: &str = "router.wasm";

/// How a project is built, other than by default.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct BuildFlags {
    /// Build with the names of functions, and debug information, as `pointsman build --debug`
    #[arg(long, conflicts_with_all = ["no_build", "module"])]
    debug: bool,
    /// Install missing tools into the cache folder, as `pointsman build --get-tools`
    #[arg(long, conflicts_with_all = ["no_build", "module"])]
    get_tools: bool,
}

/// The folder of a project, whose module is built and served.
pub struct Project {
    folder: PathBuf,
    build: build::Arguments,
    /// The files as they were before the last build.
    files: Files,
    watcher: Option<RecommendedWatcher>,
    events: Receiver<()>,
}

/// Time of the last change, and size, of each file of a project.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files(BTreeMap<PathBuf, (SystemTime, u64)>);

impl Project {
    /// The project in the folder of a configuration, if its module is served. None: there is no such project.
    pub fn of_config(file: &Path, flags: BuildFlags) -> anyhow::Result<Option<Project>> {
        let folder = folder_of(file);
        match languages_of(folder).as_slice() {
            [] => return Ok(None),
            [_] => {}
            several => bail!(
                "{} could be a project in any of {}: run `pointsman dev --no-build`, and build one with \
                 `pointsman build --lang LANG`",
                folder.display(),
                several.iter().map(|language| language.short()).collect::<Vec<_>>().join(", ")
            ),
        }
        // Whoever mends a configuration that is wrong wants the module built.
        if let Ok(config) = config::load(file) {
            let own = fs::canonicalize(folder)?.join(MODULE);
            let modules = config.tenants.iter().flat_map(|tenant| &tenant.modules);
            let mut paths = modules.filter_map(|module| {
                let name = module.path.file_name()?;
                Some(fs::canonicalize(folder_of(&module.path)).ok()?.join(name))
            });
            if !paths.any(|path| path == own) {
                print::line(format_args!("nothing is built: {} serves no {MODULE} of its folder", file.display()));
                return Ok(None);
            }
        }
        // Capacity for one: any number of events leads to one scan.
        let (sender, events) = sync_channel(1);
        let on_event = move |_| {
            // Full: the scan that is due sees this change too.
            let _ = sender.try_send(());
        };
        let watcher = RecommendedWatcher::new(on_event, notify::Config::default());
        let watcher = watcher.map_err(|error| eprintln!("changes are found by scanning the folder: {error}")).ok();
        let BuildFlags { debug, get_tools } = flags;
        let build = build::Arguments::of_project(folder, debug, get_tools);
        Ok(Some(Project { folder: folder.to_owned(), build, files: Files::default(), watcher, events }))
    }

    /// Builds the module if it is missing, or older than a source.
    pub fn build_if_stale(&mut self) {
        self.files = self.scan();
        let built = fs::metadata(self.folder.join(MODULE)).and_then(|module| module.modified()).ok();
        if built.is_none_or(|built| self.files.newest_source().is_none_or(|source| source > built)) {
            self.build();
        }
    }

    /// Waits for a file of the project to change, and builds the module if it is a source.
    pub fn wait_and_build(&mut self) {
        loop {
            match self.events.recv_timeout(SCAN_INTERVAL) {
                Ok(()) => while self.events.recv_timeout(QUIET).is_ok() {},
                Err(RecvTimeoutError::Timeout) => {}
                // There is no watcher.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(SCAN_INTERVAL),
            }
            let files = self.scan();
            if files == self.files {
                continue;
            }
            let is_built = files.sources().ne(self.files.sources());
            self.files = files;
            if is_built {
                self.build();
            }
            return;
        }
    }

    /// Builds whenever a source changes, on a thread of its own that ends with the process.
    pub fn keep_built(mut self) -> std::io::Result<()> {
        let run = move || {
            loop {
                self.wait_and_build();
            }
        };
        thread::Builder::new().name("build".to_owned()).spawn(run).map(drop)
    }

    fn build(&self) {
        let start = Instant::now();
        match build::build_module(&self.build) {
            Ok((module, _)) => {
                eprintln!("{}: built in {:.1} s", module.display(), start.elapsed().as_secs_f64());
            }
            Err(error) => {
                eprintln!("error: {}", chain(error.as_ref()));
                eprintln!("not built: the module before it goes on serving; save a source to try again");
            }
        }
    }

    /// Reads the state of all files, and watches their folders.
    fn scan(&mut self) -> Files {
        let (mut files, mut folders) = (Files::default(), vec![self.folder.clone()]);
        while let Some(folder) = folders.pop() {
            if let Some(watcher) = &mut self.watcher {
                // A second watch of the same folder replaces the first. A folder that is gone by now has no files.
                let _ = watcher.watch(&folder, RecursiveMode::NonRecursive);
            }
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
                let Ok(about) = fs::metadata(&path) else { continue };
                match about.is_dir() {
                    true if name.starts_with('.') || NOT_SOURCES.contains(&&*name) => {}
                    // A link to a folder could lead back to where it is.
                    true if path.is_symlink() => {}
                    true => folders.push(path),
                    false if is_watched(&name) => {
                        let changed = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                        files.0.insert(path, (changed, about.len()));
                    }
                    false => {}
                }
            }
        }
        files
    }
}

/// Whether changes of the file matter: not to modules, nor to files that editors keep for a moment.
fn is_watched(name: &str) -> bool {
    let ends = [".wasm", ".new", "~", ".swp", ".tmp", ".md"];
    !name.starts_with('.') && !ends.iter().any(|end| name.ends_with(end))
}

impl Files {
    fn sources(&self) -> impl Iterator<Item = (&PathBuf, &(SystemTime, u64))> {
        let is_source = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            !NOT_BUILT_FROM.iter().any(|other| name == *other)
        };
        self.0.iter().filter(move |(path, _)| is_source(path))
    }

    fn newest_source(&self) -> Option<SystemTime> {
        self.sources().map(|(_, (changed, _))| *changed).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[[listener]]\nname = \"web\"\naddress = \"127.0.0.1:0\"\n[[tenant]]\nname = \"shop\"\n\
                          hostnames = [\"*\"]\n[[tenant.module]]\npath = \"MODULE\"\n";

    /// A folder with these empty files, and a configuration with a module of this path.
    fn folder(module: &str, files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        fs::write(folder.path().join("pointsman.toml"), CONFIG.replace("MODULE", module)).unwrap();
        folder
    }

    fn open(folder: &Path) -> anyhow::Result<Option<Project>> {
        Project::of_config(&folder.join("pointsman.toml"), BuildFlags { debug: false, get_tools: false })
    }

    #[test]
    fn sources_are_what_a_module_may_be_built_from() {
        let folder = folder(
            "router.wasm",
            &[
                "router.c",
                "table/routes.csv",
                "router.wasm",
                "router.wasm.new",
                "README.md",
                ".router.c.swp",
                "router.tests.json",
                ".git/x.c",
                "build/x.c",
                "target/module/x.c",
                "Cargo.lock",
            ],
        );
        let files = open(folder.path()).unwrap().unwrap().scan();
        let name = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_owned();
        let sources: Vec<PathBuf> = files.sources().map(|(path, _)| name(path)).collect();
        assert_eq!(sources, [Path::new("router.c"), Path::new("table/routes.csv")]);
        // A change of these leads to another attempt to start.
        assert!(files.0.contains_key(&folder.path().join("pointsman.toml")));
        assert!(files.0.contains_key(&folder.path().join("router.tests.json")));
    }

    #[test]
    fn project_is_built_only_if_its_module_is_served() {
        assert!(open(folder("router.wasm", &["router.c"]).path()).unwrap().is_some());
        assert!(open(folder("router.wasm", &[]).path()).unwrap().is_none());
        assert!(open(folder("other.wasm", &["router.c"]).path()).unwrap().is_none());
        let Err(refused) = open(folder("router.wasm", &["router.c", "router.js"]).path()) else {
            panic!("two languages")
        };
        assert!(format!("{refused:#}").contains("could be a project in any of c, js: run"));
    }
}
