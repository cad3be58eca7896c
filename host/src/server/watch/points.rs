//! Which paths determine the file that a path leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use pointsman_rules::config;

/// Maximum number of symlinks to follow, as in the kernel.
const LINKS: usize = 40;

/// The paths at which a change may make `path` lead to another file: its final target, each symlink on the way, and the
/// folders that hold those, which may be replaced as a whole. If a component is missing, it ends the list.
///
/// None of these paths leads through a symlink, so they match the paths in the system's events.
pub fn of(path: &Path) -> BTreeSet<PathBuf> {
    let mut points = BTreeSet::new();
    let mut at = PathBuf::from("/");
    let mut left: Vec<OsString> = Vec::new();
    let to_go = |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    left.extend(to_go(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned())));
    let mut links: usize = 0;
    while let Some(name) = left.pop() {
        match name.to_str() {
            Some("/") => at = PathBuf::from("/"),
            Some(".") => {}
            Some("..") => drop(at.pop()),
            _ => {
                let here = at.join(name);
                let link = std::fs::read_link(&here);
                let leads_on = matches!(&link, Err(error) if error.kind() == std::io::ErrorKind::InvalidInput);
                if leads_on && !left.is_empty() {
                    at = here;
                    continue;
                }
                // The root has no parent and is never replaced.
                points.extend(at.parent().map(|_| at.clone()));
                points.insert(here);
                match link {
                    Ok(target) if links < LINKS => left.extend(to_go(&target)),
                    _ => return points,
                }
                links = links.saturating_add(1);
            }
        }
    }
    points
}

/// The watched files that each path concerns.
#[derive(Debug, Default)]
pub struct Index {
    files: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// A folder, without symlinks in its path, in which tenant configurations may appear.
    pub tenants: Option<PathBuf>,
}

impl Index {
    pub fn add(&mut self, file: &Path, points: &BTreeSet<PathBuf>) {
        for point in points {
            self.files.entry(point.clone()).or_default().insert(file.to_owned());
        }
    }

    pub fn remove(&mut self, file: &Path, points: &BTreeSet<PathBuf>) {
        for point in points {
            if let Some(files) = self.files.get_mut(point) {
                files.remove(file);
                if files.is_empty() {
                    self.files.remove(point);
                }
            }
        }
    }

    /// The files that a change of this path concerns; it may be a folder that contains them.
    pub fn concerned(&self, path: &Path) -> impl Iterator<Item = &PathBuf> {
        let from = self
            .files
            .range::<Path, _>((Bound::Included(path), Bound::Unbounded))
            .take_while(move |(point, _)| point.starts_with(path));
        from.flat_map(|(_, files)| files)
    }

    /// Whether a change of this path concerns a watched file, or a tenant configuration that is new.
    pub fn is_of_interest(&self, path: &Path) -> bool {
        let appears = || self.tenants.is_some() && path.parent() == self.tenants.as_deref();
        self.concerned(path).next().is_some() || appears() && config::is_of_tenants(path)
    }

    /// The folders to watch.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let folders = self.files.keys().filter_map(|point| point.parent()).chain(self.tenants.as_deref());
        // Most files share a few folders.
        folders.collect::<BTreeSet<_>>().into_iter().map(Path::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Checks the paths that a path in this folder depends on, relative to the folder.
    #[track_caller]
    fn check(folder: &Path, path: &str, expected: &[&str]) {
        let points = of(&folder.join(path));
        let found: Vec<_> = points.iter().filter_map(|point| point.strip_prefix(folder).ok()).collect();
        assert_eq!(found, expected.iter().map(Path::new).collect::<Vec<_>>(), "{path}");
    }

    #[test]
    fn file_depends_on_each_symlink_and_each_folder_that_holds_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("its path");
        std::fs::create_dir_all(folder.join("deep/mods")).expect("a folder");
        std::fs::create_dir(folder.join("..1")).expect("a folder");
        std::fs::write(folder.join("deep/mods/a"), "").expect("written");
        std::fs::write(folder.join("..1/a"), "").expect("written");
        symlink("..1", folder.join("..data")).expect("a symlink");
        symlink("..data/a", folder.join("a")).expect("a symlink");
        symlink(folder.join("deep"), folder.join("way")).expect("a symlink");
        symlink("round", folder.join("round")).expect("a symlink");
        symlink("../gone", folder.join("deep/lost")).expect("a symlink");

        check(&folder, "deep/mods/a", &["deep/mods", "deep/mods/a"]);
        check(&folder, "deep/../..1/./a", &["..1", "..1/a"]);
        check(&folder, "a", &["", "..1", "..1/a", "..data", "a"]);
        check(&folder, "way/mods/a", &["", "deep/mods", "deep/mods/a", "way"]);
        check(&folder, "deep/mods/none", &["deep/mods", "deep/mods/none"]);
        check(&folder, "deep/none/a", &["deep", "deep/none"]);
        check(&folder, "deep/mods/a/none", &["deep/mods/a", "deep/mods/a/none"]);
        check(&folder, "deep/lost", &["", "deep", "deep/lost", "gone"]);
        check(&folder, "round", &["", "round"]);
    }

    #[test]
    fn change_concerns_all_files_below() {
        let mut index = Index::default();
        let points = |points: &[&str]| points.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        index.add(Path::new("one"), &points(&["/a/b", "/a/b/one"]));
        index.add(Path::new("two"), &points(&["/a/b", "/a/b/two"]));
        index.add(Path::new("three"), &points(&["/a/b-3/three"]));
        let concerned = |index: &Index, path: &str| {
            let files: BTreeSet<_> = index.concerned(Path::new(path)).map(|file| file.display().to_string()).collect();
            files.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(concerned(&index, "/a/b/one"), "one");
        assert_eq!(concerned(&index, "/a/b"), "one two");
        assert_eq!(concerned(&index, "/a"), "one three two");
        assert_eq!(concerned(&index, "/a/b/one/more"), "");
        assert_eq!(index.folders(), points(&["/a", "/a/b", "/a/b-3"]));
        index.remove(Path::new("one"), &points(&["/a/b", "/a/b/one"]));
        assert_eq!(concerned(&index, "/a"), "three two");
        assert!(!index.is_of_interest(Path::new("/a/b/one")));
    }
}
