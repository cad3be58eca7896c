//! A project's copy of an SDK: which program made it, what its author changed in it, and its replacement.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::sdk::Language;
use crate::sdk::files::{sdk, write_sdk};
use crate::sdk::record::{RECORD, Record, VERSION, checksum};

/// Files and folders that tools make in a source folder: nobody's work.
const LEFTOVERS: [&str; 8] = [
    "node_modules",
    "target",
    "__pycache__",
    ".zig-cache",
    "zig-out",
    ".mypy_cache",
    "package-lock.json",
    "Cargo.lock",
];

/// Where `sdk update --force` keeps the files that the author had changed. Compilers and formatters skip such a name.
pub const KEPT: &str = ".pointsman-changed";

/// How a copy compares with the SDK in this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Age {
    Current,
    /// Written by an older program, of this version.
    Older(String),
    /// Written by a newer program, of this version.
    Newer(String),
    /// Written by a program of the same version that had other files.
    OtherBuild,
    /// Without a record: no program of this version or later wrote it.
    Unversioned,
}

impl Age {
    /// A copy's difference from this program's SDK, as the end of a sentence that begins with its folder.
    pub fn difference(&self) -> Option<String> {
        match self {
            Age::Current => None,
            Age::Older(version) => Some(format!("is the SDK of pointsman {version}, older than this one ({VERSION})")),
            Age::Newer(version) => Some(format!("is the SDK of pointsman {version}, newer than this one ({VERSION})")),
            Age::OtherBuild => Some(format!("is the SDK of another build of pointsman {VERSION}")),
            Age::Unversioned => Some(format!("has no {RECORD}: it is older than pointsman {VERSION}")),
        }
    }
}

/// A project's copy of its SDK.
pub struct Copy {
    folder: PathBuf,
    language: Language,
    record: Option<Record>,
}

/// The result of [`Copy::replace`].
pub struct Update {
    pub added: usize,
    pub changed: usize,
    pub removed: usize,
}

impl Copy {
    pub fn open(folder: &Path, language: Language) -> io::Result<Copy> {
        let record = match fs::read_to_string(folder.join(RECORD)) {
            Ok(text) => Record::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Copy { folder: folder.to_owned(), language, record })
    }

    pub fn age(&self) -> Age {
        let Some(record) = &self.record else { return Age::Unversioned };
        if *record == Record::of(&sdk(self.language)) {
            return Age::Current;
        }
        match (number(&record.version), number(VERSION)) {
            (Some(theirs), Some(ours)) if theirs < ours => Age::Older(record.version.clone()),
            (Some(theirs), Some(ours)) if theirs > ours => Age::Newer(record.version.clone()),
            (Some(_), _) => Age::OtherBuild,
            (None, _) => Age::Unversioned,
        }
    }

    /// The version of the program that wrote the copy, for people.
    pub fn version(&self) -> &str {
        self.record.as_ref().map_or("an older version", |record| &record.version)
    }

    /// Files that are the author's work: those that neither the program which wrote the copy put there, nor this one
    /// would.
    pub fn changed(&self) -> io::Result<Vec<String>> {
        let new = Record::of(&sdk(self.language)).sums;
        let old = self.record.as_ref().map(|record| &record.sums);
        let mut changed = Vec::new();
        for path in files_below(&self.folder)? {
            let sum = checksum(&fs::read(self.folder.join(&path))?);
            let is_known = |sums: &BTreeMap<String, String>| sums.get(&path) == Some(&sum);
            if path != RECORD && !is_known(&new) && !old.is_some_and(is_known) {
                changed.push(path);
            }
        }
        Ok(changed)
    }

    /// Replaces the copy with this program's SDK, whole or not at all, after the files of `keep` were copied to the
    /// folder [`KEPT`] next to it.
    pub fn replace(&self, keep: &[String]) -> anyhow::Result<Update> {
        let project = self.folder.parent().unwrap_or(Path::new("."));
        let kept = project.join(KEPT);
        if !keep.is_empty() && kept.exists() {
            bail!("{} has the files that an earlier update kept: move it away first", kept.display());
        }
        let work = tempfile::Builder::new().prefix(".pointsman-").tempdir_in(project);
        let work = work.with_context(|| format!("cannot write to {}", project.display()))?;
        let new = work.path().join("pointsman");
        write_sdk(self.language, &new).with_context(|| format!("cannot write {}", new.display()))?;
        for path in keep {
            let to = kept.join(path);
            let folder = to.parent().unwrap_or(&kept);
            fs::create_dir_all(folder)
                .and_then(|()| fs::copy(self.folder.join(path), &to))
                .with_context(|| format!("cannot write {}", to.display()))?;
        }
        let update = self.difference()?;
        exchange(&new, &self.folder, &work.path().join("old"))
            .with_context(|| format!("cannot replace {}", self.folder.display()))?;
        work.close().context("cannot remove the old SDK")?;
        Ok(update)
    }

    fn difference(&self) -> io::Result<Update> {
        let new = Record::of(&sdk(self.language)).sums;
        let (old, mut changed) = (files_below(&self.folder)?, 0);
        for path in old.iter().filter(|path| new.contains_key(*path)) {
            changed += usize::from(Some(&checksum(&fs::read(self.folder.join(path))?)) != new.get(path));
        }
        let added = new.keys().filter(|path| !old.contains(*path)).count();
        let removed = old.iter().filter(|path| !new.contains_key(*path) && *path != RECORD).count();
        Ok(Update { added, changed, removed })
    }
}

/// Puts the folder `new` where `place` is: in one step where the file system can, and else by way of `aside`.
fn exchange(new: &Path, place: &Path, aside: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => replace_by_renaming(new, place, aside),
        result => Ok(result?),
    }
}

fn replace_by_renaming(new: &Path, place: &Path, aside: &Path) -> io::Result<()> {
    fs::rename(place, aside)?;
    fs::rename(new, place).inspect_err(|_| {
        let _ = fs::rename(aside, place);
    })
}

/// Major, minor and patch.
fn number(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// The paths of all files below a folder, without what tools leave there.
fn files_below(folder: &Path) -> io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if LEFTOVERS.contains(&&*name) || name.ends_with(".pyc") {
                continue;
            }
            let path = entry.path();
            match path.is_dir() && !entry.file_type()?.is_symlink() {
                true => folders.push(path),
                false => drop(found.insert(path.strip_prefix(folder).unwrap_or(&path).display().to_string())),
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project's folder whose copy a program of another version wrote, which had one file more.
    fn project(version: &str) -> tempfile::TempDir {
        let project = tempfile::tempdir().unwrap();
        let folder = project.path().join("pointsman");
        write_sdk(Language::Zig, &folder).unwrap();
        fs::write(folder.join("gone.zig"), "old").unwrap();
        let record = fs::read_to_string(folder.join(RECORD)).unwrap();
        let record = record.replacen(VERSION, version, 1) + &format!("{}  gone.zig\n", checksum(b"old"));
        fs::write(folder.join(RECORD), record).unwrap();
        project
    }

    fn copy(project: &tempfile::TempDir) -> Copy {
        Copy::open(&project.path().join("pointsman"), Language::Zig).unwrap()
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let age = |version: &str| copy(&project(version)).age();
        assert_eq!(age("0.0.99"), Age::Older("0.0.99".to_owned()));
        assert_eq!(age("0.10.0"), Age::Newer("0.10.0".to_owned()));
        assert_eq!(age(VERSION), Age::OtherBuild);
        assert_eq!(age("the first"), Age::Unversioned);
        let current = tempfile::tempdir().unwrap();
        write_sdk(Language::Zig, &current.path().join("pointsman")).unwrap();
        assert_eq!(copy(&current).age(), Age::Current);
        fs::remove_file(current.path().join("pointsman").join(RECORD)).unwrap();
        assert_eq!(copy(&current).age(), Age::Unversioned);
    }

    #[test]
    fn files_of_the_author_are_told_from_those_of_either_program() {
        let project = project("0.0.9");
        let folder = project.path().join("pointsman");
        assert_eq!(copy(&project).changed().unwrap(), Vec::<String>::new());
        fs::write(folder.join("src/host.zig"), "mine").unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        fs::create_dir(folder.join(".zig-cache")).unwrap();
        fs::write(folder.join(".zig-cache/tool"), "not mine").unwrap();
        assert_eq!(copy(&project).changed().unwrap(), ["notes.txt", "src/host.zig"]);
        // Without a record, a file that this program would write is known to be no work of the author.
        fs::remove_file(folder.join(RECORD)).unwrap();
        assert_eq!(copy(&project).changed().unwrap(), ["gone.zig", "notes.txt", "src/host.zig"]);
    }

    #[test]
    fn a_replaced_copy_is_this_programs_and_the_authors_files_are_kept() {
        let project = project("0.0.9");
        let folder = project.path().join("pointsman");
        fs::write(folder.join("src/host.zig"), "mine").unwrap();
        fs::remove_file(folder.join("src/module.zig")).unwrap();
        let update = copy(&project).replace(&["src/host.zig".to_owned()]).unwrap();
        assert_eq!((update.added, update.changed, update.removed), (1, 1, 1));
        assert_eq!(copy(&project).age(), Age::Current);
        assert_eq!(copy(&project).changed().unwrap(), Vec::<String>::new());
        assert!(!folder.join("gone.zig").exists());
        assert_eq!(fs::read_to_string(project.path().join(KEPT).join("src/host.zig")).unwrap(), "mine");
        // Nothing else is left in the project, and what was kept is never overwritten.
        assert_eq!(fs::read_dir(project.path()).unwrap().count(), 2);
        fs::write(folder.join("src/host.zig"), "mine again").unwrap();
        assert!(copy(&project).replace(&["src/host.zig".to_owned()]).is_err());
        assert_eq!(fs::read_to_string(folder.join("src/host.zig")).unwrap(), "mine again");
    }

    #[test]
    fn without_an_exchange_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let [new, place, aside] = ["new", "place", "aside"].map(|name| folder.path().join(name));
        fs::create_dir(&place).unwrap();
        fs::write(place.join("old"), "").unwrap();
        assert!(replace_by_renaming(&new, &place, &aside).is_err());
        assert!(place.join("old").exists());
        fs::create_dir(&new).unwrap();
        replace_by_renaming(&new, &place, &aside).unwrap();
        assert!(!place.join("old").exists() && aside.join("old").exists());
    }
}
