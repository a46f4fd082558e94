//! Installs what the tests need and the machine lacks: with apt as root, otherwise into the user's cache folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::process::{self, find, output, root};

/// The oldest version that Carillon runs on.
pub(crate) const OLDEST_POSTGRES: u32 = 15;
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Our folder among the user's caches.
pub(crate) fn cache() -> Result<PathBuf> {
    let caches = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let folder = caches.join("carillon/tools");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The numeric id of the user who runs this.
pub(crate) fn uid() -> Result<u32> {
    Ok(fs::metadata("/proc/self").context("/proc is needed")?.uid())
}

/// Brings what the tests call by name and the machine lacks, PostgreSQL among it when `postgres` says so.
pub(crate) fn programs(postgres: bool) -> Result<()> {
    let mut missing: Vec<_> =
        ["strace", "openssl", "python3", "curl"].into_iter().filter(|program| find(program).is_none()).collect();
    if missing.contains(&"python3") {
        missing.push("python3-venv");
    }
    if postgres && postgres_bin().is_none() {
        missing.push("postgresql");
    }
    if missing.is_empty() { Ok(()) } else { apt(&missing) }
}

/// The driver of a Chromium. `None` where apt has none: then the tests of pages are left out, and that is said.
pub(crate) fn chromedriver() -> Option<PathBuf> {
    if let Some(driver) = std::env::var_os("CARILLON_TEST_CHROMEDRIVER") {
        return Some(driver.into());
    }
    if find("chromedriver").is_none() {
        apt(&["chromium", "chromium-driver", "fonts-dejavu-core"]).ok();
    }
    let driver = find("chromedriver");
    if driver.is_none() {
        println!("LEFT OUT: tests of pages; CARILLON_TEST_CHROMEDRIVER could name Chromium's driver");
    }
    driver
}

/// The folder of PostgreSQL's programs: `CARILLON_TEST_PG_BIN`, or the newest that is installed.
pub(crate) fn postgres_bin() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("CARILLON_TEST_PG_BIN") {
        return Some(folder.into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version = entry.file_name().to_str()?.parse::<u32>().ok()?;
        let folder = entry.path().join("bin");
        (version >= OLDEST_POSTGRES && folder.join("initdb").is_file()).then_some((version, folder))
    });
    versions.max().map(|(_, folder)| folder)
}

/// A Python that has `tests/tools/requirements.txt`.
pub(crate) fn python() -> Result<PathBuf> {
    let wanted = fs::read_to_string(root().join("tests/tools/requirements.txt"))?;
    let tools = cache()?;
    let venv = tools.join("venv/bin/python");
    let wrapper = tools.join("python");
    let stamp = tools.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted)
        && let Some(python) = [&venv, &wrapper].into_iter().find(|python| works(python))
    {
        return Ok(python.clone());
    }
    println!("installing the Python test tools into {}", tools.display());
    let python = match in_venv(&tools) {
        Ok(()) => venv,
        Err(_) if uid()? == 0 && apt(&["python3-venv"]).is_ok() && in_venv(&tools).is_ok() => venv,
        Err(venv) => {
            beside(&tools).with_context(|| format!("neither a venv nor pip works\n{venv:#}"))?;
            wrapper
        }
    };
    fs::write(stamp, wanted)?;
    Ok(python)
}

fn works(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import aiosmtpd"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn in_venv(tools: &Path) -> Result<()> {
    let venv = tools.join("venv");
    output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    pip(&venv.join("bin/python"), &[])
}

/// Without venv: the packages in a folder of their own, and a wrapper that tells Python of it.
fn beside(tools: &Path) -> Result<()> {
    let packages = tools.join("packages");
    pip(Path::new("python3"), &["--upgrade", "--target", &packages.to_string_lossy()])?;
    let wrapper = tools.join("python");
    fs::write(&wrapper, format!("#!/bin/sh\nPYTHONPATH='{}' exec python3 \"$@\"\n", packages.display()))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn pip(python: &Path, options: &[&str]) -> Result<()> {
    let requirements = root().join("tests/tools/requirements.txt");
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(options);
    output(command.arg("--requirement").arg(requirements)).map(drop)
}

/// cargo-deny, built into the cache if it is missing. That takes minutes, once.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    if let Some(program) = find("cargo-deny") {
        return Ok(program);
    }
    let tools = cache()?;
    let program = tools.join("bin/cargo-deny");
    if program.is_file() {
        return Ok(program);
    }
    println!("installing cargo-deny into {} (minutes, once)", tools.display());
    let mut install = process::cargo();
    install.args(["install", "--quiet", "--locked", "cargo-deny", "--root"]).arg(&tools);
    process::run(install.env("CARGO_TARGET_DIR", tools.join("target")))?;
    fs::remove_dir_all(tools.join("target")).ok();
    Ok(program)
}

/// Installs Debian packages without letting any of them start a service.
fn apt(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if uid()? != 0 || find("apt-get").is_none() {
        bail!("the tests need {list}: on Debian, `sudo apt-get install {list}`, then try again");
    }
    println!("installing {list}");
    let _policy = Policy::forbid()?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    output(apt().args(["-q", "update"]))?;
    output(apt().args(["-qy", "install", "--no-install-recommends"]).args(packages)).map(drop)
}

/// While it lives, packages that are installed start no service.
struct Policy {
    ours: bool,
}

impl Policy {
    fn forbid() -> Result<Self> {
        let ours = !Path::new(POLICY).exists();
        if ours {
            fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            fs::remove_file(POLICY).ok();
        }
    }
}
