//! The table of what a program defines, and `main`, which it may define.

/// Defines a table of addresses that the linker fills: a symbol that nobody defines is 0 there. It can be written
/// to. First the table's own name, then the functions that a program may define, then the variables that it may
/// have a copy of.
#[macro_export]
macro_rules! table {
    ($table:literal: $($function:literal),+; $($variable:literal),+) => {
        #[cfg(not(target_vendor = "apple"))]
        ::std::arch::global_asm!(
            ".pushsection .data.rel.dorrit,\"aw\",@progbits",
            ".p2align 3",
            ::std::concat!(".globl ", $table),
            ::std::concat!(".hidden ", $table),
            $(::std::concat!(".weak ", $function),)+
            ::std::concat!($table, ":"),
            $(::std::concat!(".8byte ", $function),)+
            $(::std::concat!(".8byte ", $variable),)+
            ".popsection",
        );
        #[cfg(target_vendor = "apple")]
        ::std::arch::global_asm!(
            ".section __DATA,__data",
            ".p2align 3",
            ::std::concat!(".globl _", $table),
            ::std::concat!(".private_extern _", $table),
            $(::std::concat!(".weak_reference _", $function),)+
            ::std::concat!("_", $table, ":"),
            $(::std::concat!(".8byte _", $function),)+
            $(::std::concat!(".8byte _", $variable),)+
            ".text",
        );
    };
}

/// Defines `main`, which goes on in this function, as a weak symbol: the linker finds no second `main` where
/// a program has its own, though that of a static library is in one object with the `ws_*` functions. It is not
/// defined for a processor whose jump is not known here.
#[macro_export]
macro_rules! weak_main {
    ($function:path) => {
        $crate::weak_main! { "x86_64", "jmp {}", $function }
        $crate::weak_main! { "aarch64", "b {}", $function }
        $crate::weak_main! { "riscv64", "tail {}", $function }
    };
    ($arch:literal, $jump:literal, $function:path) => {
        #[cfg(all(target_arch = $arch, not(target_vendor = "apple")))]
        ::std::arch::global_asm!(
            ".pushsection .text.main,\"ax\",@progbits",
            ".p2align 4",
            ".weak main",
            ".type main,@function",
            "main:",
            $jump,
            ".size main, . - main",
            ".popsection",
            sym $function,
        );
        #[cfg(all(target_arch = $arch, target_vendor = "apple"))]
        ::std::arch::global_asm!(
            ".text",
            ".p2align 4",
            ".globl _main",
            ".weak_definition _main",
            "_main:",
            $jump,
            sym $function,
        );
    };
}
