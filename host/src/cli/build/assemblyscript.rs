use crate::cli::build::Built;
use crate::cli::build::project::Project;
use crate::cli::build::tools::Tools;

pub fn build(_project: &Project, _tools: &Tools) -> anyhow::Result<Built> {
    anyhow::bail!("soon")
}
