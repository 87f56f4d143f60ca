//! The keys of the report.

use exectrail_testbed::working_day;

use crate::page::open;

#[test]
fn search_and_tree_work_by_keys_and_say_what_they_found() {
    let mut page = open!(&working_day::log());
    page.press(&["/"]);
    page.browser.write("files.example").unwrap();
    page.wait_text("#count", "2 of ");
    page.press(&["ArrowDown", "ArrowDown"]);
    page.wait_text("#argv", "https://files.example/upload");
    let active = "document.querySelector('#' + document.activeElement.ariaActiveDescendantElement?.id\
                  ?? '')?.textContent";
    let active = page.value(active);
    assert!(
        active.as_str().unwrap().contains("curl -s -T -"),
        "{active}"
    );
    // In the tree, the found exec is visible below its ancestors.
    page.click("#tab-1");
    page.wait_text("[role=treegrid]", "curl -s -T -");
    let levels = page.value(
        "[...document.querySelectorAll('[role=treegrid] .space .row')]\
         .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)\
         .map((row) => `${row.ariaLevel} ${row.children[0].textContent}`)",
    );
    let levels: Vec<&str> = levels
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect();
    assert_eq!(levels.len(), 4, "{levels:?}");
    assert!(levels[0].contains("jessie / apache") && levels[1].contains("bash --login"));
    assert!(
        levels[2].starts_with("3 ") && levels[2].contains("sh -c"),
        "{levels:?}"
    );
    assert!(
        levels[3].starts_with("4 ") && levels[3].contains("curl"),
        "{levels:?}"
    );
    // Arrow keys close and open nodes.
    page.value("document.querySelector('[role=treegrid]').focus()");
    page.press(&["Home", "ArrowLeft"]);
    page.wait("document.querySelector('#node-0').ariaExpanded === 'false'");
    assert_eq!(
        page.value("document.querySelectorAll('[role=treegrid] .space .row').length"),
        1
    );
    page.press(&["ArrowRight", "ArrowRight", "ArrowRight"]);
    page.wait("document.querySelector('#node-2.active')");
    // Escape closes the details, and ends the search.
    page.press(&["Escape"]);
    page.wait("document.querySelector('#details').hidden");
    page.press(&["/", "Escape"]);
    page.wait("!document.querySelector('#count').textContent.includes(' of ')");
    page.end();
}

#[test]
fn tabs_and_tables_work_by_keys() {
    let mut page = open!(&working_day::log());
    page.value("document.querySelector('[role=tab][aria-selected=true]').focus()");
    page.press(&["ArrowRight", "ArrowRight"]);
    assert_eq!(page.value("document.activeElement.textContent"), "Users");
    page.press(&["Tab"]);
    assert_eq!(
        page.value("document.activeElement.ariaLabel"),
        "Execs by user"
    );
    page.press(&["ArrowDown", "Enter"]);
    page.wait_text("#count", " of ");
    page.wait_text("#chips", "User: ");
    assert!(
        page.text("[role=tab][aria-selected=true]")
            .contains("Execs")
    );
    // Keys zoom the timeline.
    page.value("document.querySelector('#timeline').focus()");
    page.press(&["+", "+", "ArrowRight"]);
    page.wait_text("#chips", "Time: ");
    page.press(&["0"]);
    page.wait("!document.querySelector('#chips').textContent.includes('Time')");
    page.end();
}
