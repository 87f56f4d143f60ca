//! The report of a working day has the figures, shading and counts of the log.

use exectrail_testbed::working_day;
use serde_json::Value;

use crate::page::open;

#[test]
fn figures_and_shading_are_those_of_the_log() {
    let log = working_day::log();
    let execs = log.matches(r#""msg":"exec","#).count();
    let mut page = open!(&log);
    let figures = page.value(
        "Object.fromEntries([...document.querySelectorAll('#figures div')]\
         .map((div) => [...div.children].map((part) => part.textContent)))",
    );
    assert_eq!(
        figures["Execs"].as_str().unwrap().replace(',', ""),
        execs.to_string()
    );
    assert_eq!(figures["Failed execs"], "1");
    assert_eq!(figures["Lost"], "412");
    assert_eq!(figures["Suppressed"], "2,310");
    assert_eq!(figures["Users"], "3");
    // One workspace was found after nine minutes, and a restart took 24 minutes.
    assert_eq!(figures["Not recorded"], "33 min", "{figures}");
    assert_eq!(page.text("#legend"), "lostsuppressednot recorded");
    let gaps = page.value("document.querySelector('#tab-5').textContent");
    assert_eq!(gaps, "Not in the log4");
    page.click("#tab-5");
    page.wait("document.querySelector('.row.lost')");
    let lost = page.text(".row.lost");
    assert!(
        lost.contains("412 execs") && lost.contains("11 min"),
        "{lost}"
    );
    // The marks of gaps on the timeline's axis have the colors of lost, suppressed and not
    // recorded.
    let colors = page.value(
        "(() => { const canvas = document.querySelector('#canvas');\
         const pen = canvas.getContext('2d'); const foot = canvas.height - 18;\
         const row = pen.getImageData(0, foot, canvas.width, 1).data; const seen = new Set();\
         for (let at = 0; at < row.length; at += 4) if (row[at + 3] === 255)\
         seen.add(row.slice(at, at + 3).join(',')); return [...seen]; })()",
    );
    for color in ["179,38,30", "138,90,0", "97,106,118"] {
        let is_there = colors.as_array().unwrap().contains(&Value::from(color));
        assert!(is_there, "{color} is not in {colors}");
    }
    page.end();
}

#[test]
fn a_wide_a_narrow_and_a_dark_page_have_room_for_everything() {
    let mut page = open!(&working_day::log());
    for (width, height, is_dark) in [(1280, 860, true), (390, 800, false), (1280, 500, false)] {
        page.browser.show(width, height, is_dark).unwrap();
        page.wait(&format!("window.innerWidth === {width}"));
        let overflow = page.value("document.documentElement.scrollWidth - window.innerWidth");
        assert!(overflow.as_f64().unwrap() <= 0.0, "{width}: {overflow}");
        let background = page.value("getComputedStyle(document.body).backgroundColor");
        assert_eq!(background == "rgb(17, 20, 23)", is_dark, "{background}");
    }
    page.click("#theme");
    page.click("#theme");
    let background = page.value("getComputedStyle(document.body).backgroundColor");
    assert_eq!(background, "rgb(17, 20, 23)");
    page.end();
}

#[test]
fn a_log_without_execs_has_a_page_that_says_so() {
    let mut page = open!("");
    assert!(page.text(".empty").contains("The log has no exec"));
    page.click("#tab-5");
    page.wait_text(".empty", "Nothing is missing");
    page.end();
}
