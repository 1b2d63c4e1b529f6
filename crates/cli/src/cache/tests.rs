//! The cache against damage, foreign entries, full and forbidden folders.

use super::*;
use std::fs::{DirBuilder, File, Permissions};
use std::io::{Error, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::Duration;

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
        open(&self.0, limit_bytes).unwrap()
    }

    /// Where an entry lies.
    fn path(&self, key: &Key) -> PathBuf {
        self.0.join(file_name(key))
    }

    /// The names of all that is in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn open(path: &Path, limit_bytes: u64) -> Option<Cache> {
    Cache::open(&CacheSettings { enabled: true, folder: Some(path.into()), limit_bytes })
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn set_age(path: &Path, age_secs: u64) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(age_secs)).unwrap();
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const TEXT: &str = "(module (func (export \"f\") (result i32) i32.const 42))";

fn stored(folder: &Folder, cache: &mut Cache, engine: &Engine) -> (Key, PathBuf) {
    let key = Cache::key(engine, TEXT.as_bytes());
    cache.store(&key, &Module::new(engine, TEXT).unwrap());
    let path = folder.path(&key);
    (key, path)
}

#[test]
fn what_was_stored_is_found() {
    let (folder, engine) = (Folder::new("found"), Engine::default());
    let mut cache = folder.cache(1 << 30);
    let (key, _) = stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_some());
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn damaged_entries_are_removed() {
    let (folder, engine) = (Folder::new("damaged"), Engine::default());
    let mut cache = folder.cache(1 << 30);
    let (key, path) = stored(&folder, &mut cache, &engine);
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
    let (folder, engine) = (Folder::new("shared"), Engine::default());
    let mut unmade = open(&folder.0.join("sub"), 1 << 30).unwrap();
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        set_mode(&folder.0, mode);
        assert!(open(&folder.0, 1 << 30).is_none(), "{mode:o}");
    }
    // Nor one that others made while it was missing.
    std::fs::create_dir(folder.0.join("sub")).unwrap();
    set_mode(&folder.0.join("sub"), 0o777);
    unmade.store(&Cache::key(&engine, b""), &Module::new(&engine, TEXT).unwrap());
    assert_eq!(std::fs::read_dir(folder.0.join("sub")).unwrap().count(), 0);
    for mode in [0o700, 0o755, 0o500] {
        set_mode(&folder.0, mode);
        assert!(open(&folder.0, 1 << 30).is_some(), "{mode:o}");
    }
    set_mode(&folder.0, 0o700);
}

#[test]
fn a_folder_behind_a_link_of_the_users_is_used() {
    let (folder, engine) = (Folder::new("linked"), Engine::default());
    let target = folder.0.join("target");
    DirBuilder::new().mode(0o700).create(&target).unwrap();
    symlink(&target, folder.0.join("link")).unwrap();
    let mut cache = open(&folder.0.join("link"), 1 << 30).unwrap();
    let (key, _) = stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_some() && target.join(file_name(&key)).exists());
}

#[test]
fn a_folder_that_is_exchanged_while_it_is_open_does_not_matter() {
    let (folder, engine) = (Folder::new("exchanged"), Engine::default());
    let (path, moved) = (folder.0.join("a"), folder.0.join("b"));
    DirBuilder::new().mode(0o700).create(&path).unwrap();
    let mut cache = open(&path, 1 << 30).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    std::fs::create_dir(&path).unwrap();
    let (key, _) = stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_some() && moved.join(file_name(&key)).exists());
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn entries_that_others_can_write_to_are_not_used_but_replaced() {
    let (folder, engine) = (Folder::new("writable"), Engine::default());
    let mut cache = folder.cache(1 << 30);
    for mode in [0o666, 0o620, 0o602] {
        let (key, path) = stored(&folder, &mut cache, &engine);
        assert!(cache.load(&engine, &key).is_some());
        set_mode(&path, mode);
        assert!(cache.load(&engine, &key).is_none(), "{mode:o}");
        stored(&folder, &mut cache, &engine);
        assert!(cache.load(&engine, &key).is_some());
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn entries_that_are_links_are_not_followed_but_replaced() {
    let (folder, engine) = (Folder::new("link"), Engine::default());
    let mut cache = folder.cache(1 << 30);
    let (key, path) = stored(&folder, &mut cache, &engine);
    let elsewhere = folder.0.join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(cache.load(&engine, &key).is_none());
    let whole = std::fs::read(&elsewhere).unwrap();
    stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_some() && !path.is_symlink());
    assert_eq!(std::fs::read(&elsewhere).unwrap(), whole);
}

#[test]
fn entries_and_folders_of_another_owner_are_not_used() {
    const NOBODY: u32 = 65534;
    let user = rustix::process::geteuid();
    let other = Some(if user.as_raw() == NOBODY { 1 } else { NOBODY });
    let (folder, engine) = (Folder::new("owner"), Engine::default());
    let mut cache = folder.cache(1 << 30);
    let (key, path) = stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_some());
    if let Err(error) = chown(&path, other, None) {
        // Not by a macro that the test runner silences.
        let _ = writeln!(std::io::stderr(), "SKIPPED, files cannot be given away: {error}");
        assert!(!user.is_root(), "root can");
        return;
    }
    assert!(cache.load(&engine, &key).is_none());
    stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_some());
    chown(&folder.0, other, None).unwrap();
    assert!(open(&folder.0, 1 << 30).is_none());
}

#[test]
fn a_pipe_in_place_of_an_entry_is_not_waited_for() {
    let (folder, engine) = (Folder::new("pipe"), Engine::default());
    let key = Cache::key(&engine, TEXT.as_bytes());
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, folder.path(&key), fifo, mode, 0).unwrap();
    assert!(folder.cache(1 << 30).load(&engine, &key).is_none());
}

#[test]
fn cleaning_leaves_alone_what_is_not_ours() {
    let (folder, engine) = (Folder::new("foreign"), Engine::default());
    let foreign = [
        ".unfinished-",
        ".unfinished-0123456789abcdeX",
        ".unfinished-1-a.cwasm",
        "0123.cwasm",
        "game.cwasm",
        &format!("{}.cwasm", "G".repeat(64)),
        &format!("{}.wasm", "0".repeat(64)),
        &format!("{}.cwasm", "0".repeat(65)),
    ];
    let ours = [&format!("{}.cwasm", "0".repeat(64)), ".unfinished-0123456789abcdef"];
    let artifact = Module::new(&engine, TEXT).unwrap().serialize().unwrap();
    for name in foreign.into_iter().chain(ours) {
        let path = folder.0.join(name);
        std::fs::write(&path, &artifact).unwrap();
        set_age(&path, 10_000);
    }
    // Room for one and a half.
    let (key, _) = stored(&folder, &mut folder.cache(artifact.len() as u64 * 3 / 2), &engine);
    let mut left: Vec<_> = foreign.map(String::from).into();
    left.push(file_name(&key));
    left.sort();
    assert_eq!(folder.names(), left);
}

#[test]
fn unfinished_files_of_the_living_stay() {
    let (folder, engine) = (Folder::new("living"), Engine::default());
    let young = ".unfinished-0123456789abcdef";
    std::fs::write(folder.0.join(young), "half").unwrap();
    let (key, _) = stored(&folder, &mut folder.cache(1 << 30), &engine);
    assert_eq!(folder.names(), [young.to_string(), file_name(&key)]);
}

#[test]
fn entries_in_use_are_marked_once_an_hour() -> Result<(), Error> {
    let (folder, engine) = (Folder::new("marked"), Engine::default());
    let mut cache = folder.cache(1 << 30);
    let (key, path) = stored(&folder, &mut cache, &engine);
    for (age_secs, is_marked) in [(3000, false), (4000, true)] {
        set_age(&path, age_secs);
        let before = std::fs::metadata(&path)?.modified()?;
        assert!(cache.load(&engine, &key).is_some());
        assert_eq!(std::fs::metadata(&path)?.modified()? != before, is_marked, "{age_secs}");
    }
    Ok(())
}

#[test]
fn the_oldest_entries_make_room() {
    let (folder, engine) = (Folder::new("room"), Engine::default());
    let module = Module::new(&engine, TEXT).unwrap();
    let size = module.serialize().unwrap().len() as u64;
    let mut cache = folder.cache(size * 4);
    for i in 0..5 {
        let key = format!("{i:064}");
        cache.store(&key, &module);
        set_age(&folder.path(&key), 1000 - i * 100);
    }
    let left: Vec<bool> = (0..5).map(|i| folder.path(&format!("{i:064}")).exists()).collect();
    assert_eq!(left, [false, false, true, true, true]);
}

#[test]
fn a_folder_that_cannot_be_made_is_no_error() {
    let (folder, engine) = (Folder::new("unmade"), Engine::default());
    let blocked = folder.0.join("file");
    std::fs::write(&blocked, "").unwrap();
    assert!(open(&blocked, 1 << 30).is_none() && open(&blocked.join("below"), 1 << 30).is_none());
    let mut cache = open(&folder.0.join("sub"), 1 << 30).unwrap();
    std::fs::write(folder.0.join("sub"), "in its place").unwrap();
    let (key, _) = stored(&folder, &mut cache, &engine);
    assert!(cache.load(&engine, &key).is_none());
    assert_eq!(folder.names(), ["file", "sub"]);
}
