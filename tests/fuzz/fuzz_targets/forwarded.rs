#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| portcullis_fuzz::forwarded::strangers_are_never_believed(bytes));
