#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::config::any_text_has_an_answer(bytes);
    portcullis_fuzz::config::format_is_a_fixed_point(bytes);
});
