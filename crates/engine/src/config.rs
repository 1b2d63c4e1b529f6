//! `Config`: every choice that holds for an engine.

use crate::error::{Error, ErrorKind};
use selkie_compile::{CompileError, Tuning};
use selkie_module::features::Feature;
use selkie_module::{DecodeError, Features};

/// What lets threads see each other, whose order no engine decides.
const THREADING: [Feature; 2] = [Feature::threads, Feature::shared_everything_threads];

/// Why a deterministic engine refuses what threads share.
pub(crate) const NO_THREADS: &str = "shared memories and atomic instructions are off, because the \
    engine is deterministic (`-W deterministic`): the order of threads is not";

/// Choices that hold for an [`Engine`](crate::Engine) and all its modules and stores.
///
/// ```
/// use selkie_engine::{Config, Engine, Feature};
/// let mut config = Config::new();
/// config.wasm_feature(Feature::threads, false).max_wasm_stack_bytes(1 << 20);
/// let engine = Engine::new(&config)?;
/// # Ok::<(), selkie_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) features: Features,
    pub(crate) tuning: Tuning,
    pub(crate) stack_bytes: usize,
    pub(crate) continuation_stack_bytes: usize,
    pub(crate) async_stack_bytes: usize,
    /// `None`: one for each processor, asked for when something is compiled.
    compile_threads: Option<usize>,
    pub(crate) backtrace_frames: usize,
    pub(crate) keep_debug_info: bool,
    pub(crate) gc_stress: bool,
    pub(crate) max_idle_instances: usize,
    pub(crate) keep_resident_bytes: usize,
    deterministic: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            features: Features::default(),
            tuning: Tuning::default(),
            stack_bytes: selkie_vm::DEFAULT_STACK_BYTES,
            continuation_stack_bytes: selkie_vm::DEFAULT_CONTINUATION_STACK_BYTES,
            async_stack_bytes: selkie_vm::DEFAULT_ASYNC_STACK_BYTES,
            compile_threads: None,
            backtrace_frames: 64,
            keep_debug_info: true,
            gc_stress: false,
            max_idle_instances: 64,
            keep_resident_bytes: 8 << 20,
            deterministic: false,
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Config {
        Config::default()
    }

    /// Turns a proposal on or off.
    pub fn wasm_feature(&mut self, feature: Feature, on: bool) -> &mut Config {
        self.features.set(feature, on);
        self
    }

    /// The enabled proposals.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Replaces all proposals at once.
    pub fn set_features(&mut self, features: Features) -> &mut Config {
        self.features = features;
        self
    }

    /// The choices that shape code, as compilers are told.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Stack that WebAssembly may use, in bytes, rounded up to pages. Default 16 MiB.
    pub fn max_wasm_stack_bytes(&mut self, bytes: usize) -> &mut Config {
        self.stack_bytes = bytes;
        self
    }

    /// Stack of each continuation, in bytes, rounded up to pages and to 64 KiB at least. Default
    /// 256 KiB. What a continuation does not touch takes address space only.
    pub fn continuation_stack_bytes(&mut self, bytes: usize) -> &mut Config {
        self.continuation_stack_bytes = bytes;
        self
    }

    /// Stack of each call that may wait ([`Func::call_async`](crate::Func::call_async)), in bytes,
    /// rounded up to pages and to 64 KiB at least. Default 2 MiB. What a call does not touch takes
    /// address space only; a pending call that is not deep takes two pages of memory.
    pub fn async_stack_bytes(&mut self, bytes: usize) -> &mut Config {
        self.async_stack_bytes = bytes;
        self
    }

    /// Threads that compile a module. Default: one for each processor.
    pub fn compile_threads(&mut self, threads: usize) -> &mut Config {
        self.compile_threads = Some(threads.max(1));
        self
    }

    pub(crate) fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.compile_threads.unwrap_or_else(all)
    }

    /// Whether NaN results are made canonical, so that results are equal on every machine.
    pub fn canonical_nans(&mut self, on: bool) -> &mut Config {
        self.tuning.canonical_nans = on;
        self
    }

    /// Whether relaxed vector instructions use the deterministic choices of the specification.
    pub fn relaxed_simd_deterministic(&mut self, on: bool) -> &mut Config {
        self.tuning.relaxed_simd_deterministic = on;
        self
    }

    /// Whether running a module twice gives the same, byte for byte, on every machine. Default off.
    ///
    /// Results of NaNs are canonical and relaxed vector instructions fixed, whatever else is said;
    /// threads are off, so that modules with shared memories or atomic instructions are refused.
    /// Guests of WASI see a clock that starts at a fixed instant and goes on when it is looked at or
    /// waited for, random numbers from a seed, and directories in order, unless their context says
    /// otherwise.
    ///
    /// It does not make up for what runs out: whether a memory or a table can grow is decided by
    /// [`StoreLimits`](crate::StoreLimits) and then by the system, and how deep calls go by the size
    /// of the stack and by the frames that this build of the compiler makes. For equal ends set
    /// limits that the system can keep.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, ErrorKind, Module};
    /// let engine = Engine::new(Config::new().deterministic(true))?;
    /// assert!(engine.config().is_deterministic());
    /// let error = Module::new(&engine, "(module (memory 1 2 shared))").unwrap_err();
    /// assert!(error.to_string().contains("-W deterministic"));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    pub fn deterministic(&mut self, on: bool) -> &mut Config {
        self.deterministic = on;
        self
    }

    /// Whether running a module twice gives the same.
    pub fn is_deterministic(&self) -> bool {
        self.deterministic
    }

    /// The choices with all that follows from them, as an engine has them.
    pub(crate) fn settled(&self) -> Config {
        let mut config = self.clone();
        if self.deterministic {
            config.canonical_nans(true).relaxed_simd_deterministic(true);
            for feature in THREADING {
                config.wasm_feature(feature, false);
            }
        }
        config
    }

    /// Says that a proposal is off because the engine is deterministic, where that is why.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let needs = match error.downcast_ref::<CompileError>() {
            Some(CompileError::Invalid(error)) => error.needs,
            _ => error.downcast_ref::<DecodeError>().and_then(|error| error.needs),
        };
        if !self.deterministic || !needs.is_some_and(|needed| THREADING.contains(&needed)) {
            return error;
        }
        Error::new(ErrorKind::Unsupported, NO_THREADS)
    }

    /// Whether small functions are inlined. Default on.
    pub fn inlining(&mut self, on: bool) -> &mut Config {
        self.tuning.inlining = on;
        self
    }

    /// Whether code counts what it does, so that a store's fuel limits it; see
    /// [`Store::set_fuel`](crate::Store::set_fuel). Default off; it costs speed.
    pub fn consume_fuel(&mut self, on: bool) -> &mut Config {
        self.tuning.consume_fuel = on;
        self
    }

    /// Whether guests can be interrupted: by the engine's epoch
    /// ([`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline)), at a point in time
    /// ([`Store::set_deadline`](crate::Store::set_deadline)) or on request
    /// ([`Store::interrupt_handle`](crate::Store::interrupt_handle)). Default off; it costs a
    /// little speed, most in loops that do next to nothing.
    pub fn epoch_interruption(&mut self, on: bool) -> &mut Config {
        self.tuning.epoch_interruption = on;
        self
    }

    /// Whether guard pages may replace bounds checks. Default on; without them each memory takes
    /// little address space and each access a check.
    pub fn guard_pages(&mut self, on: bool) -> &mut Config {
        self.tuning.guard_pages = on;
        self
    }

    /// Whether explicit bounds checks also hold under speculation. Default on.
    pub fn spectre_checks(&mut self, on: bool) -> &mut Config {
        self.tuning.spectre_checks = on;
        self
    }

    /// Inaccessible address space behind each memory, in bytes. Default 32 MiB. Accesses with a
    /// larger static offset are checked.
    pub fn memory_guard_bytes(&mut self, bytes: u64) -> &mut Config {
        let unit = 64 << 10;
        self.tuning.memory_guard_bytes =
            bytes.checked_next_multiple_of(unit).unwrap_or(u64::MAX / unit * unit);
        self
    }

    /// Frames that an error's backtrace holds at most; 0 for none. Default 64.
    pub fn backtrace_frames(&mut self, frames: usize) -> &mut Config {
        self.backtrace_frames = frames;
        self
    }

    /// Whether every allocation of an object collects first: slow, and sure to bring to light a
    /// reference that the engine forgot. For tests. Default off.
    pub fn gc_stress(&mut self, on: bool) -> &mut Config {
        self.gc_stress = on;
        self
    }

    /// Instances that an [`InstancePre`](crate::InstancePre) keeps ready on each processor at most,
    /// made of what former ones left behind. Default 64; 0 for none.
    ///
    /// An instance is ready when all that its predecessor wrote has been restored: memories, tables
    /// and globals are what they are in a new one. Making one of it takes less than a microsecond.
    pub fn max_idle_instances(&mut self, instances: usize) -> &mut Config {
        self.max_idle_instances = instances;
        self
    }

    /// Bytes of a memory that was written which may stay resident when its instance is kept ready for
    /// the next one; a memory with more is given back to the system. Default 8 MiB.
    pub fn keep_resident_bytes(&mut self, bytes: usize) -> &mut Config {
        self.keep_resident_bytes = bytes;
        self
    }

    /// Whether DWARF sections are kept, for files and lines in backtraces. Default on.
    pub fn debug_info(&mut self, on: bool) -> &mut Config {
        self.keep_debug_info = on;
        self
    }
}

macro_rules! define_switches {
    ($($name:ident, $switch:ident, $flag:literal, $bit:ident, $default:literal, $about:literal;)*) => {
        /// One switch for each proposal.
        impl Config {$(
            #[doc = concat!("Turns ", $about, " on or off (`", $flag, "`).")]
            pub fn $switch(&mut self, on: bool) -> &mut Config {
                self.wasm_feature(Feature::$name, on)
            }
        )*}
    };
}

selkie_module::for_each_feature!(define_switches);
