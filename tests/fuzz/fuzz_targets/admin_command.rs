#![no_main]

libfuzzer_sys::fuzz_target!(|line: &str| {
    portcullis_daemon::properties::any_line_is_commands(line);
});
