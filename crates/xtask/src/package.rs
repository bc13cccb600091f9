//! `cargo xtask package`: the Debian package, from the list in crates/portcullis/Cargo.toml that cargo-deb reads as well, by
//! dpkg-deb alone. What the package does when it is installed is in deploy/debian/scripts.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use toml::Table;

/// The crate whose manifest has the list; its paths begin here.
const CRATE: &str = "crates/portcullis";
/// What stands in the list for the folder of the binary, generated files included.
const BUILT: &str = "target/release/";

/// Builds the package of `binary` in `folder`, under the workspace's version unless another is given.
pub(crate) fn build(
    root: &Path,
    binary: &Path,
    folder: &Path,
    version: Option<&str>,
) -> Result<ExitCode> {
    let manifest: Table = fs::read_to_string(root.join(CRATE).join("Cargo.toml"))?.parse()?;
    let workspace: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let own = at(&workspace, &["workspace", "package", "version"])?;
    let description = at(&manifest, &["package", "description"])?;
    let package = Package {
        root,
        binary: &binary.canonicalize().context("the binary")?,
        version: version.unwrap_or(own),
        description,
        list: table(&manifest, &["package", "metadata", "deb"])?,
    };
    let stage = folder.join("stage");
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    fs::create_dir_all(stage.join("DEBIAN"))?;
    package.generate()?;
    package.copy(&stage)?;
    package.describe(&stage)?;
    // Whatever the umask of the one who builds is.
    run(Command::new("find")
        .arg(&stage)
        .args(["-type", "d", "-exec", "chmod", "755", "{}", "+"]))?;
    let name = format!("portcullis_{}_{}.deb", package.version, architecture()?);
    let file = folder.join(name);
    // Every system with dpkg reads gzip; xz takes minutes for a debug build.
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zgzip", "--build"])
        .args([&stage, &file]))?;
    fs::remove_dir_all(&stage)?;
    println!("{}", file.display());
    Ok(ExitCode::SUCCESS)
}

struct Package<'a> {
    root: &'a Path,
    binary: &'a Path,
    version: &'a str,
    description: &'a str,
    list: &'a Table,
}

/// One line of the list.
struct Asset {
    from: PathBuf,
    /// Below the root of the system; one that ends in a slash is a folder.
    to: String,
    mode: u32,
}

impl Package<'_> {
    /// Writes what the binary tells about itself beside it: manual pages and completions.
    fn generate(&self) -> Result<()> {
        let folder = self.built().join("package");
        fs::create_dir_all(&folder)?;
        run(Command::new(self.binary).arg("man").arg(folder.join("man")))?;
        for shell in ["bash", "zsh", "fish"] {
            let text = run(Command::new(self.binary).args(["completions", shell]))?;
            fs::write(folder.join(format!("portcullis.{shell}")), text)?;
        }
        Ok(())
    }

    fn built(&self) -> &Path {
        self.binary.parent().unwrap_or(Path::new("."))
    }

    fn copy(&self, stage: &Path) -> Result<()> {
        for asset in self.assets()? {
            for from in matching(&asset.from)? {
                let to = target(stage, &asset, &from);
                if let Some(folder) = to.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::copy(&from, &to).with_context(|| from.display().to_string())?;
                fs::set_permissions(&to, Permissions::from_mode(asset.mode))?;
                finish(&to)?;
            }
        }
        Ok(())
    }

    fn assets(&self) -> Result<Vec<Asset>> {
        let rows = self.list.get("assets").and_then(toml::Value::as_array);
        let rows = rows.context("no assets")?.iter();
        rows.map(|row| {
            let [from, to, mode] = words(row)?.try_into().ok().context("not three words")?;
            Ok(Asset {
                from: match from.strip_prefix(BUILT) {
                    Some("portcullis") => self.binary.to_path_buf(),
                    Some(rest) => self.built().join(rest),
                    None => self.root.join(CRATE).join(from),
                },
                to: to.to_owned(),
                mode: u32::from_str_radix(mode, 8)?,
            })
        })
        .collect()
    }

    /// The control files: what the package is, what of it is the operator's to change, what it does.
    fn describe(&self, stage: &Path) -> Result<()> {
        let control = stage.join("DEBIAN");
        let scripts = self.root.join(CRATE).join(self.word("maintainer-scripts")?);
        for entry in fs::read_dir(scripts)? {
            let from = entry?.path();
            let to = control.join(from.file_name().context("a file has a name")?);
            fs::copy(&from, &to)?;
            fs::set_permissions(&to, Permissions::from_mode(0o755))?;
        }
        let files = words(self.list.get("conf-files").context("no conf-files")?)?;
        fs::write(control.join("conffiles"), files.join("\n") + "\n")?;
        fs::write(control.join("control"), self.control()?)?;
        Ok(())
    }

    fn control(&self) -> Result<String> {
        let mut text = String::new();
        let depends = self.word("depends")?;
        let depends = depends.replace("$auto", &libraries(self.binary)?);
        let fields = [
            ("Package", self.word("name")?),
            ("Version", self.version),
            ("Architecture", &architecture()?),
            ("Maintainer", self.word("maintainer")?),
            ("Section", self.word("section")?),
            ("Priority", self.word("priority")?),
            ("Depends", &depends),
            ("Recommends", self.word("recommends")?),
            ("Description", self.description),
        ];
        for (name, value) in fields {
            writeln!(text, "{name}: {value}")?;
        }
        for line in self.word("extended-description")?.trim().lines() {
            writeln!(text, " {line}")?;
        }
        Ok(text)
    }

    fn word(&self, key: &str) -> Result<&str> {
        at(self.list, &[key])
    }
}

/// The files that are meant: one, or all that a `*` in the last part of the path stands for.
fn matching(path: &Path) -> Result<Vec<PathBuf>> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some((before, after)) = name.and_then(|name| name.split_once('*')) else {
        return Ok(vec![path.to_path_buf()]);
    };
    let folder = path.parent().context("a path has a folder")?;
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_file() && name.starts_with(before) && name.ends_with(after) {
            found.push(entry.path());
        }
    }
    if found.is_empty() {
        bail!("{} is no file", path.display());
    }
    found.sort();
    Ok(found)
}

fn target(stage: &Path, asset: &Asset, from: &Path) -> PathBuf {
    let to = stage.join(&asset.to);
    match from.file_name() {
        Some(name) if asset.to.ends_with('/') => to.join(name),
        _ => to,
    }
}

/// What Debian wants of files in some places: programs without their symbols, manual pages compressed.
fn finish(file: &Path) -> Result<()> {
    let text = file.to_string_lossy();
    if text.contains("/usr/bin/") {
        run(Command::new("strip").arg(file))?;
    } else if text.contains("/usr/share/man/") || text.ends_with("/changelog") {
        run(Command::new("gzip").args(["-9", "-n"]).arg(file))?;
    }
    Ok(())
}

/// The packages of the shared libraries that the binary needs, by dpkg-shlibdeps where that is installed.
fn libraries(binary: &Path) -> Result<String> {
    let folder = std::env::temp_dir().join(format!("portcullis-libraries-{}", std::process::id()));
    fs::create_dir_all(folder.join("debian"))?;
    fs::write(
        folder.join("debian/control"),
        "Source: portcullis\n\nPackage: portcullis\nArchitecture: any\n",
    )?;
    let asked = Command::new("dpkg-shlibdeps")
        .current_dir(&folder)
        .arg("-O")
        .arg(binary)
        .output();
    fs::remove_dir_all(&folder)?;
    let said = asked.ok().filter(|output| output.status.success());
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let found = said
        .as_deref()
        .and_then(|text| text.trim().strip_prefix("shlibs:Depends="));
    Ok(found.unwrap_or("libc6, libgcc-s1").to_owned())
}

fn architecture() -> Result<String> {
    let said = run(Command::new("dpkg").arg("--print-architecture"))?;
    Ok(String::from_utf8(said)?.trim().to_owned())
}

/// Runs a command to its end and gives its standard output.
fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn table<'a>(mut table: &'a Table, path: &[&str]) -> Result<&'a Table> {
    for key in path {
        let next = table.get(*key).and_then(toml::Value::as_table);
        table = next.with_context(|| format!("no [{}]", path.join(".")))?;
    }
    Ok(table)
}

fn at<'a>(from: &'a Table, path: &[&str]) -> Result<&'a str> {
    let (key, above) = path.split_last().context("no path")?;
    let value = table(from, above)?.get(*key).and_then(toml::Value::as_str);
    value.with_context(|| format!("no {}", path.join(".")))
}

fn words(value: &toml::Value) -> Result<Vec<&str>> {
    let array = value.as_array().context("not a list")?;
    array
        .iter()
        .map(|word| word.as_str().context("not a word"))
        .collect()
}
