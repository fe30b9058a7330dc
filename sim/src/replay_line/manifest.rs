//! The packages and targets in a `Cargo.toml`, as far as a command line needs them.

use super::{Artifact, ArtifactPlace, Files};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

pub(super) struct Manifest {
    folder: PathBuf,
    table: Table,
}

impl Manifest {
    pub(super) fn read(folder: &Path, files: &dyn Files) -> Option<Self> {
        let table = files.read(&folder.join("Cargo.toml"))?.parse().ok()?;
        Some(Manifest { folder: folder.into(), table })
    }

    fn key(&self, table: &str, key: &str) -> Option<&Value> {
        self.table.get(table)?.get(key)
    }

    fn text(&self, table: &str, key: &str) -> Option<&str> {
        self.key(table, key)?.as_str()
    }

    /// The names of the listed targets of a kind, such as `bin`.
    fn listed(&self, kind: &str) -> Vec<&str> {
        let listed = self.table.get(kind).and_then(Value::as_array);
        let names = listed.into_iter().flatten().filter_map(|target| target.get("name")?.as_str());
        names.collect()
    }

    /// Whether `cargo run` in this package runs this binary if no binary is named.
    pub(super) fn runs_by_default(&self, name: &str, files: &dyn Files) -> bool {
        if let Some(default) = self.text("package", "default-run") {
            return default == name;
        }
        let is_main = self.text("package", "name") == Some(name) && self.has("src/main.rs", files);
        let is_only_one = self.listed("bin").iter().all(|bin| *bin == name) && !self.has("src/bin", files);
        is_only_one && (is_main || !self.has("src/main.rs", files))
    }

    fn has(&self, path: &str, files: &dyn Files) -> bool {
        files.exists(&self.folder.join(path))
    }

    fn has_binaries(&self, files: &dyn Files) -> bool {
        !self.listed("bin").is_empty() || self.has("src/main.rs", files) || self.has("src/bin", files)
    }

    /// Whether a folder is a package of this workspace.
    pub(super) fn has_member(&self, folder: &Path) -> bool {
        self.names(folder, "members") || self.names(folder, "default-members")
    }

    /// Whether a list of the workspace names a folder.
    fn names(&self, folder: &Path, list: &str) -> bool {
        let Ok(folder) = folder.strip_prefix(&self.folder) else { return false };
        let listed = self.key("workspace", list).and_then(Value::as_array);
        listed.into_iter().flatten().filter_map(Value::as_str).any(|pattern| matches(pattern, folder))
    }

    /// Whether `cargo run` in the root of this workspace runs this package if no package is named.
    pub(super) fn runs_package_by_default(&self, package: &Path, files: &dyn Files) -> bool {
        let list = match self.key("workspace", "default-members") {
            Some(_) => "default-members",
            // In this case cargo runs the root package alone.
            None if self.table.contains_key("package") => return false,
            None => "members",
        };
        let listed = self.key("workspace", list).and_then(Value::as_array);
        let members: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
        // A pattern may name packages that nobody looked at.
        if !self.names(package, list) || members.iter().any(|member| member.contains('*')) {
            return false;
        }
        let folders = members.iter().map(|member| self.folder.join(member).components().collect());
        let folders: Vec<PathBuf> = folders.collect();
        let read = |folder: &PathBuf| Manifest::read(folder, files);
        let has_default = |member: &Manifest| member.text("package", "default-run").is_some();
        let with_default: Vec<_> =
            folders.iter().filter(|folder| read(folder).as_ref().is_some_and(has_default)).collect();
        // If a single member has a default binary, cargo takes that, however many binaries there are.
        if let [only] = with_default[..] {
            return only == package;
        }
        folders
            .iter()
            .all(|folder| folder == package || read(folder).is_some_and(|other| !other.has_binaries(files)))
    }

    /// The flags of the targets that an executable may belong to: more than one if two share a name, none if it belongs
    /// to another package.
    pub(super) fn targets(&self, artifact: &Artifact, files: &dyn Files) -> Vec<String> {
        let name = &artifact.name;
        let mut flags = Vec::new();
        match artifact.place {
            ArtifactPlace::Profile => flags.extend(self.target("bin", "src/bin", name, files)),
            ArtifactPlace::Examples => flags.extend(self.target("example", "examples", name, files)),
            ArtifactPlace::Deps => {
                let package = self.text("package", "name").unwrap_or_default();
                let library = self.text("lib", "name").unwrap_or(package);
                let has_library = self.table.contains_key("lib") || self.has("src/lib.rs", files);
                if has_library && crate_name(library) == *name {
                    flags.push("--lib".into());
                }
                flags.extend(self.target("bin", "src/bin", name, files));
                flags.extend(self.target("test", "tests", name, files));
                flags.extend(self.target("bench", "benches", name, files));
            }
        }
        flags
    }

    /// The flag of the target of this kind whose executable has this name.
    fn target(&self, kind: &str, folder: &str, name: &str, files: &dyn Files) -> Option<String> {
        let package =
            self.text("package", "name").filter(|_| kind == "bin" && self.has("src/main.rs", files));
        let mut listed = self.listed(kind);
        listed.extend(package);
        let known = listed.into_iter().find(|listed| crate_name(listed) == crate_name(name));
        // A file's name may have dashes while that of its crate has underscores.
        let dashes = name.replace('_', "-");
        let found = known.or_else(|| {
            let has_file = |name: &&str| {
                self.has(&format!("{folder}/{name}.rs"), files)
                    || self.has(&format!("{folder}/{name}/main.rs"), files)
            };
            [name, &*dashes].into_iter().find(has_file)
        });
        Some(format!("--{kind} {}", crate::shell::word(found?)))
    }
}

fn crate_name(target: &str) -> String {
    target.replace('-', "_")
}

/// Whether a pattern of a workspace's members names a folder. A `*` stands for one folder.
fn matches(pattern: &str, folder: &Path) -> bool {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let folders: Vec<_> = folder.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.len() == folders.len()
        && parts.iter().zip(&folders).all(|(part, name)| *part == "*" || part == name)
}
