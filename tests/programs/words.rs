//! Counts words: collections, strings, iterators, files and errors of the standard library.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    let by_count: BTreeMap<usize, Vec<&str>> =
        counts.iter().fold(BTreeMap::new(), |mut map, (word, count)| {
            map.entry(*count).or_insert_with(Vec::new).push(word);
            map
        });
    for (count, mut words) in by_count.into_iter().rev() {
        words.sort_unstable();
        println!("{count}: {}", words.join(" "));
    }
    fs::create_dir_all("/work/a/b")?;
    let mut file = fs::File::create("/work/a/b/c.txt")?;
    write!(file, "{:?}", std::env::args().skip(1).collect::<HashSet<_>>().len())?;
    drop(file);
    println!("{}", fs::read_to_string("/work/a/b/c.txt")?);
    fs::remove_dir_all("/work/a")?;
    println!("outside: {}", fs::read("/etc/passwd").is_ok());
    let caught = "12x".parse::<u32>().is_err() && u8::try_from(300).is_err();
    println!("{caught} {:.3} {}", 2f64.powf(0.5), i128::MAX);
    std::process::exit(5)
}
