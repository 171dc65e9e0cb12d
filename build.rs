//! Links the addon the way Node expects it (delayed symbols); does nothing else.

fn main() {
    napi_build::setup();
}
