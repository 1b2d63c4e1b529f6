//! The cache against damage, foreign entries, full and forbidden folders.

use super::*;
use std::os::unix::fs::PermissionsExt;

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("selkie-cache-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Folder(path)
    }

    fn cache(&self, limit_bytes: u64) -> Cache {
        let settings = CacheSettings { enabled: true, folder: Some(self.0.clone()), limit_bytes };
        Cache::open(&settings).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const TEXT: &str = "(module (func (export \"f\") (result i32) i32.const 42))";

fn stored(cache: &Cache, engine: &Engine) -> (Key, PathBuf) {
    let key = Cache::key(engine, TEXT.as_bytes());
    cache.store(&key, &Module::new(engine, TEXT).unwrap());
    let path = cache.path(&key);
    (key, path)
}

#[test]
fn what_was_stored_is_found() {
    let (folder, engine) = (Folder::new("found"), Engine::default());
    let cache = folder.cache(1 << 30);
    let (key, _) = stored(&cache, &engine);
    assert!(cache.load(&engine, &key).is_some());
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn damaged_entries_are_removed() {
    let (folder, engine) = (Folder::new("damaged"), Engine::default());
    let cache = folder.cache(1 << 30);
    let (key, path) = stored(&cache, &engine);
    let whole = std::fs::read(&path).unwrap();
    let step = whole.len() / 97 + 1;
    for at in (0..whole.len()).step_by(step) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, damaged).unwrap();
        // Padding between sections carries nothing; all else must be noticed.
        if cache.load(&engine, &key).is_none() {
            assert!(!path.exists());
        }
    }
    for len in (0..whole.len()).step_by(step) {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(cache.load(&engine, &key).is_none(), "cut to {len}");
        assert!(!path.exists());
    }
}

#[test]
fn other_settings_have_other_keys() {
    let with = |change: fn(&mut selkie::Config)| {
        let mut config = selkie::Config::new();
        change(&mut config);
        Cache::key(&Engine::new(&config).unwrap(), TEXT.as_bytes())
    };
    let plain = with(|_| {});
    assert_ne!(
        plain,
        with(|c| {
            c.inlining(false);
        })
    );
    assert_ne!(
        plain,
        with(|c| {
            c.wasm_feature(selkie::Feature::simd, false);
        })
    );
    assert_eq!(
        plain,
        with(|c| {
            c.compile_threads(7);
        })
    );
}

#[test]
fn folders_that_others_can_write_to_are_not_used() {
    let folder = Folder::new("shared");
    std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = Some(folder.0.clone());
    assert!(Cache::open(&CacheSettings { enabled: true, folder: path, limit_bytes: 1 }).is_none());
}

#[test]
fn the_oldest_entries_make_room() {
    let (folder, engine) = (Folder::new("room"), Engine::default());
    let module = Module::new(&engine, TEXT).unwrap();
    let size = module.serialize().unwrap().len() as u64;
    let cache = folder.cache(size * 4);
    for i in 0..5 {
        let key = format!("{i:064}");
        cache.store(&key, &module);
        if let Ok(file) = File::options().append(true).open(cache.path(&key)) {
            let age = Duration::from_secs(1000 - i * 100);
            file.set_modified(SystemTime::now() - age).unwrap();
        }
    }
    let left: Vec<bool> = (0..5).map(|i| cache.path(&format!("{i:064}")).exists()).collect();
    assert_eq!(left, [false, false, true, true, true]);
}

#[test]
fn a_folder_that_cannot_be_made_is_no_error() {
    let (folder, engine) = (Folder::new("unmade"), Engine::default());
    let blocked = folder.0.join("file");
    std::fs::write(&blocked, "").unwrap();
    let settings =
        CacheSettings { enabled: true, folder: Some(blocked.join("below")), limit_bytes: 1 << 30 };
    let cache = Cache::open(&settings).unwrap();
    let (key, path) = stored(&cache, &engine);
    assert!(cache.load(&engine, &key).is_none() && !path.exists());
}
