//! Ropes against plain lists of units.

use super::super::account::Account;
use super::*;

/// A small generator of numbers (Numerical Recipes' constants), the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn flat(account: &Arc<Account>, units: &[u16]) -> Form {
    let units = Units::Wide(units);
    let is_wide = !units.fits_latin1();
    let charge = account.charge(piece_bytes(units.len(), is_wide)).expect("it fits");
    Form::Flat(Text::copied(units, is_wide, charge).expect("there is memory"))
}

fn join(account: &Arc<Account>, first: &Form, second: &Form) -> Form {
    if first.len() == 0 || second.len() == 0 {
        return if first.len() == 0 { second.clone() } else { first.clone() };
    }
    let join = Join::new(first, second).expect("it is short enough");
    let charge = account.charge(join.bytes()).expect("it fits");
    join.make(charge).expect("there is memory")
}

fn flatten(account: &Arc<Account>, form: &Form) -> Text {
    match form {
        Form::Flat(text) => text.clone(),
        Form::Rope(rope) => {
            let charge = account.charge(rope.flat_bytes()).expect("it fits");
            rope.flatten(charge, || Ok::<(), TrapCode>(())).expect("there is memory")
        }
    }
}

fn units_of(form: &Form) -> Vec<u16> {
    let mut units = vec![0; form.len()];
    let mut end = units.len();
    let seen = form.each_piece_from_end(|piece| {
        let start = end - piece.len();
        piece.copy_to(&mut units[start..end]);
        end = start;
    });
    assert_eq!((seen, end), (Ok(()), 0));
    units
}

#[test]
fn strings_are_their_units_however_they_were_put_together() {
    let account = Arc::new(Account::default());
    for seed in 0..20 {
        let mut numbers = Numbers(seed);
        let mut strings: Vec<(Form, Vec<u16>)> = vec![(Form::Flat(Text::EMPTY), Vec::new())];
        for _ in 0..400 {
            let made = match numbers.below(8) {
                0..=1 => {
                    let widest = [0x80, 0x100, 0x10000][numbers.below(3)];
                    let len = [1, 3, 40, 300][numbers.below(4)];
                    let len = numbers.below(len) + 1;
                    let units: Vec<_> = (0..len).map(|_| numbers.below(widest) as u16).collect();
                    (flat(&account, &units), units)
                }
                2..=6 => {
                    let (a, b) = (numbers.below(strings.len()), numbers.below(strings.len()));
                    let ((first, a), (second, b)) = (&strings[a], &strings[b]);
                    if a.len() + b.len() > 100_000 {
                        continue;
                    }
                    (join(&account, first, second), [a.as_slice(), b].concat())
                }
                _ => {
                    let at = numbers.below(strings.len());
                    let text = flatten(&account, &strings[at].0);
                    let mut units = vec![0; text.len()];
                    text.units().copy_to(&mut units);
                    assert_eq!(units, strings[at].1);
                    continue;
                }
            };
            assert_eq!(made.0.len(), made.1.len());
            strings.push(made);
        }
        for (form, units) in &strings {
            assert_eq!(&units_of(form), units, "seed {seed}");
        }
        while !strings.is_empty() {
            strings.swap_remove(numbers.below(strings.len()));
        }
        assert_eq!(account.used_bytes(), 0, "seed {seed}");
    }
}

#[test]
fn appending_takes_memory_in_proportion_to_the_units() {
    let account = Arc::new(Account::default());
    let unit = flat(&account, &[0x61]);
    let mut string = Form::Flat(Text::EMPTY);
    for _ in 0..100_000 {
        string = join(&account, &string, &unit);
    }
    assert!(account.used_bytes() < 300_000, "{}", account.used_bytes());
    let text = flatten(&account, &string);
    assert_eq!(text.units().len(), 100_000);
    assert!(account.used_bytes() < 101_000, "{}", account.used_bytes());
}

#[test]
fn ropes_as_deep_as_they_are_long_are_flattened_and_freed() {
    let account = Arc::new(Account::default());
    // So long that the ends gather nothing.
    let long = flat(&account, &[0x61; GATHERED_UNITS]);
    for prepend in [false, true] {
        for flat_in_the_end in [false, true] {
            let mut string = long.clone();
            for _ in 0..200_000 {
                string = match prepend {
                    false => join(&account, &string, &long),
                    true => join(&account, &long, &string),
                };
            }
            assert!(matches!(&string, Form::Rope(_)));
            if flat_in_the_end {
                assert_eq!(flatten(&account, &string).len(), 200_001 * GATHERED_UNITS);
            }
        }
    }
    drop(long);
    assert_eq!(account.used_bytes(), 0);
}

#[test]
fn a_string_doubled_until_it_is_too_long_is_refused_before_anything_is_made() {
    let account = Arc::new(Account::default());
    let mut string = flat(&account, &[0x61; 1 << 10]);
    for _ in 10..29 {
        string = join(&account, &string, &string);
    }
    assert_eq!(string.len(), MAX_UNITS);
    assert!(account.used_bytes() < 10_000);
    let one = flat(&account, &[0x61]);
    assert_eq!(Join::new(&string, &one).err(), Some(TrapCode::AllocationTooLarge));
    assert_eq!(Join::new(&one, &string).err(), Some(TrapCode::AllocationTooLarge));
}

#[test]
fn threads_that_flatten_the_same_rope_see_the_same_units() {
    let account = Arc::new(Account::default());
    let mut string = Form::Flat(Text::EMPTY);
    for unit in 0..2000 {
        string = join(&account, &string, &flat(&account, &[unit; 100]));
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let text = flatten(&account, &string);
                assert_eq!(text.units().get(150_050), Some(1500));
            });
        }
    });
    drop(string);
    assert_eq!(account.used_bytes(), 0);
}
