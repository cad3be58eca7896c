//! `pointsman sdk`: a project's copy of its SDK.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::cli::build::language_of;
use crate::cli::{Outcome, print};
use crate::sdk::{Age, Copy, KEPT, Language, VERSION};

pub const EXAMPLES: &str = "\
Examples:
  pointsman sdk update           the project in this folder gets the SDK of this program
  pointsman sdk update shop --force";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Replace the SDK in a project's folder `pointsman` with the one in this program
    #[command(after_help = EXAMPLES)]
    Update(Update),
}

#[derive(Debug, clap::Args)]
struct Update {
    /// The project's folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// The language, if the folder's files do not show it
    #[arg(short, long, value_name = "LANG")]
    lang: Option<Language>,
    /// Replace files that were changed too, after copying them to the folder `.pointsman-changed`; and the SDK of a
    /// newer program
    #[arg(long)]
    force: bool,
}

pub fn sdk(arguments: &Arguments) -> anyhow::Result<Outcome> {
    match &arguments.command {
        Command::Update(arguments) => update(arguments),
    }
}

fn update(arguments: &Update) -> anyhow::Result<Outcome> {
    let project = &arguments.folder;
    let language = match arguments.lang {
        Some(language) => language,
        None => language_of(project)?,
    };
    let folder = project.join("pointsman");
    match fs::symlink_metadata(&folder) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => bail!("{} is no folder but a link or a file: update what it leads to", folder.display()),
        Err(_) => bail!("{} has no SDK of its own, in a folder `pointsman`", project.display()),
    }
    let cannot_read = || format!("cannot read {}", folder.display());
    let copy = Copy::open(&folder, language).with_context(cannot_read)?;
    let changed = copy.changed().with_context(cannot_read)?;
    let age = copy.age();
    if let Age::Newer(version) = &age
        && !arguments.force
    {
        bail!(
            "{} is the SDK of pointsman {version}, and this is {VERSION}: update the program, or go back with --force",
            folder.display()
        );
    }
    if age == Age::Current && (changed.is_empty() || !arguments.force) {
        print::line(format!("{} is the SDK of this program already ({VERSION})", folder.display()));
        if !changed.is_empty() {
            print::line(format!("changed by hand: {}. --force replaces them", changed.join(", ")));
        }
        return Ok(Outcome::Success);
    }
    if !changed.is_empty() && !arguments.force {
        let hint = "--force replaces them and keeps yours in";
        bail!("changed by hand in {}: {}. {hint} {KEPT}", folder.display(), changed.join(", "));
    }
    let update = copy.replace(&changed)?;
    print::line(summary(&folder, language, &copy, &update));
    if !changed.is_empty() {
        print::line(format!("your versions of {} are in {}", changed.join(", "), project.join(KEPT).display()));
    }
    Ok(Outcome::Success)
}

fn summary(folder: &Path, language: Language, copy: &Copy, update: &crate::sdk::Update) -> String {
    format!(
        "{}: SDK for {}, {} -> {VERSION}; files: {} changed, {} added, {} removed",
        folder.display(),
        language.name(),
        copy.version(),
        update.changed,
        update.added,
        update.removed
    )
}
