//! The files of a crate depend on each other without a circle. Each file can be read, moved and
//! tested together with the files that it uses, and without the files that use it.
//!
//! A file depends on another file if it names something that the other file defines, also in tests
//! and in macros. `mod child;` is no dependency. A name that a module only re-exports counts for
//! the file that defines it. A child may take from its parent what the parent re-exports. If the
//! parent's own file uses the child, the child may not take what that file defines.

use crate::circle::shortest_circle;
use crate::crates::{crate_roots, name_of};
use crate::uses::uses_between_files;

#[test]
fn no_circle_between_files() {
    let mut circles = String::new();
    let mut files = 0;
    for crate_root in crate_roots() {
        let uses = uses_between_files(&crate_root);
        files += uses.len();
        let Some(circle) = shortest_circle(&uses) else {
            continue;
        };
        circles.push_str(&format!("\n{}:", name_of(&crate_root)));
        for file in circle {
            circles.push_str(&format!("\n  {} uses", name_of(&file)));
        }
        circles.push_str(" the first\n");
    }
    assert!(files > 200, "only {files} files: not all crates were found");
    assert!(circles.is_empty(), "files use each other:\n{circles}");
}

/// Tests of the rules, on crates that are written for them.
mod rules {
    use std::fs;

    use crate::circle::shortest_circle;
    use crate::uses::uses_between_files;

    /// The names of the files in the circle of a crate with these files.
    fn circle_of(files: &[(&str, &str)]) -> Option<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = directory.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let circle = shortest_circle(&uses_between_files(&directory.path().join("main.rs")))?;
        let names = circle.iter().map(|file| {
            let name = file.strip_prefix(directory.path()).unwrap();
            name.display().to_string()
        });
        Some(names.collect())
    }

    #[test]
    fn files_that_use_each_other_are_a_circle() {
        let circle = circle_of(&[
            ("main.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            (
                "b.rs",
                "pub struct B; fn f() { println!(\"{}\", super::c::x()); }",
            ),
            ("c.rs", "use crate::{a::{self, A}, b}; pub fn x() {}"),
        ]);
        assert_eq!(circle.unwrap(), ["b.rs", "c.rs"]);
    }

    #[test]
    fn a_child_that_uses_its_parents_item_is_a_circle_only_if_the_parent_uses_the_child() {
        let child = ("a/child.rs", "use super::Item; pub struct Child(Item);");
        let used = "mod child; pub struct Item; fn f(child: child::Child) {}";
        let unused = "pub mod child; pub struct Item;";
        let root = ("main.rs", "mod a;");
        let circle = circle_of(&[root, ("a/mod.rs", used), child]);
        assert_eq!(circle.unwrap(), ["a/child.rs", "a/mod.rs"]);
        assert_eq!(circle_of(&[root, ("a/mod.rs", unused), child]), None);
    }

    #[test]
    fn a_name_that_the_parent_re_exports_counts_for_the_file_that_defines_it() {
        let files = |item: &'static str| {
            [
                ("main.rs", "mod a;"),
                (
                    "a.rs",
                    "mod one; mod two; pub use one::One; pub use self::two::*;",
                ),
                ("a/one.rs", item),
                ("a/two.rs", "use super::One; pub struct Two(One);"),
            ]
        };
        assert_eq!(circle_of(&files("pub struct One;")), None);
        let circle = circle_of(&files("pub struct One; fn f(two: super::Two) {}"));
        assert_eq!(circle.unwrap(), ["a/one.rs", "a/two.rs"]);
    }

    #[test]
    fn modules_inside_a_file_and_visibilities_are_no_dependency() {
        let circle = circle_of(&[
            ("main.rs", "mod a; mod b;"),
            (
                "a.rs",
                "use crate::b::B; mod tests { use super::*; fn f() { super::g() } } fn g() {}",
            ),
            (
                "b.rs",
                "pub(in crate::a) struct B; pub(super) struct C; mod c { pub(crate) fn d() {} }",
            ),
        ]);
        assert_eq!(circle, None);
    }

    #[test]
    fn modules_with_a_path_are_read_from_there() {
        let circle = circle_of(&[
            ("main.rs", "#[path = \"elsewhere/a.rs\"] mod a; mod b;"),
            ("elsewhere/a.rs", "use crate::b;"),
            ("b.rs", "fn f() { crate::a::f() }"),
        ]);
        assert_eq!(circle.unwrap(), ["b.rs", "elsewhere/a.rs"]);
    }
}
