//! The modules of each folder have no circular imports.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::sources;

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The names that follow `prefix` in paths and use declarations.
fn names_after<'a>(code: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c == ':' || is_part(c)) {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group.split(';').next().unwrap_or_default().split(|c| !is_part(c))),
            None => names.extend(rest.split(|c| !is_part(c)).next()),
        }
    }
    names
}

/// The imports between the modules directly in a folder; files below a module count as part of it.
fn imports_in(folder: &str, sources: &[(String, String)]) -> Graph {
    let files: Vec<(Vec<&str>, &str)> = sources
        .iter()
        .filter_map(|(name, code)| {
            let path = name.strip_prefix(folder)?.strip_suffix(".rs")?;
            let parts = path.split('/').filter(|part| *part != "mod").collect::<Vec<_>>();
            (!parts.is_empty()).then_some((parts, code.as_str()))
        })
        .collect();
    let modules: BTreeSet<&str> = files.iter().map(|(parts, _)| parts[0]).collect();
    let mut graph = Graph::new();
    for (parts, code) in &files {
        let absolute = format!("crate::{}", folder.replace('/', "::"));
        let relative = "super::".repeat(parts.len());
        let names = [absolute, relative].map(|prefix| names_after(code, &prefix));
        let imported = names
            .iter()
            .flatten()
            .filter(|name| modules.contains(*name) && **name != parts[0]);
        let imported = imported.map(|name| (*name).to_owned());
        graph.entry(parts[0].to_owned()).or_default().extend(imported);
    }
    graph
}

fn reachable(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(module) = open.pop() {
        for next in graph.get(&module).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}

/// Groups of modules that import each other, directly or indirectly.
fn circles(graph: &Graph) -> BTreeSet<Vec<String>> {
    let from_each: BTreeMap<&String, _> = graph.keys().map(|module| (module, reachable(graph, module))).collect();
    let circle = |module: &&String| -> Vec<String> {
        let reached = from_each[module].iter();
        reached
            .filter(|other| from_each[other].contains(*module))
            .cloned()
            .collect()
    };
    let groups = graph.keys().map(|module| circle(&module));
    groups.filter(|group| group.len() > 1).collect()
}

#[test]
fn modules_of_a_folder_import_each_other_in_one_direction() {
    let uncommented = |code: &str| {
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let sources: Vec<(String, String)> = sources()
        .into_iter()
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/"))
        .map(|(name, code)| (name, uncommented(&code)))
        .collect();
    let folders: BTreeSet<&str> = sources
        .iter()
        .flat_map(|(name, _)| name.match_indices('/').map(|(at, _)| &name[..=at]))
        .chain([""])
        .collect();
    let mut found = BTreeSet::new();
    for folder in folders {
        for circle in circles(&imports_in(folder, &sources)) {
            found.insert((folder.to_owned(), circle));
        }
    }
    assert_eq!(found, BTreeSet::new());
}

#[test]
fn a_circle_is_found() {
    let file = |name: &str, code: &str| (format!("a/{name}.rs"), code.to_owned());
    let sources = [
        file("one", "use super::two::Thing;"),
        file("two", "use crate::a::{\n    Other,\n    three,\n};"),
        file("three/deep", "fn f() { super::super::one::g() }"),
        file("four", "use super::one;"),
    ];
    let found = circles(&imports_in("a/", &sources));
    assert_eq!(
        found,
        BTreeSet::from([["one", "three", "two"].map(str::to_owned).to_vec()])
    );
}
