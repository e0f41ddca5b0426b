//! Large numbers, big-endian: just enough arithmetic to sign wrongly on purpose.

/// `left + right`, with an octet more where the sum needs it.
pub fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let length = left.len().max(right.len());
    let mut digits = Vec::with_capacity(length + 1);
    let mut carry = 0;
    for place in 0..length {
        let total = u16::from(digit(left, place)) + u16::from(digit(right, place)) + carry;
        digits.push(total as u8);
        carry = total >> 8;
    }
    if carry > 0 {
        digits.push(carry as u8);
    }
    digits.reverse();
    digits
}

/// `left - right`, which must not be negative, at the length of `left`.
pub fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(left.len());
    let mut borrow = 0;
    for place in 0..left.len() {
        let total = 0x100 + i32::from(digit(left, place)) - i32::from(digit(right, place)) - borrow;
        digits.push(total as u8);
        borrow = i32::from(total < 0x100);
    }
    assert_eq!(borrow, 0, "the difference is negative");
    digits.reverse();
    digits
}

/// The number at this length: zeros are added in front or, if there are enough, removed.
pub fn at_length(number: &[u8], length: usize) -> Vec<u8> {
    assert!((length..number.len()).all(|place| digit(number, place) == 0), "the number is too long");
    (0..length).rev().map(|place| digit(number, place)).collect()
}

/// The digit at a place, from the last one on.
fn digit(number: &[u8], place: usize) -> u8 {
    if place < number.len() { number[number.len() - 1 - place] } else { 0 }
}

/// Arithmetic modulo an odd number, by Montgomery's method: a plain one takes minutes in a debug build.
#[derive(Debug)]
pub struct Modulus {
    octets: usize,
    limbs: Vec<u64>,
    /// −1/n modulo 2^64.
    inverse: u64,
}

impl Modulus {
    pub fn new(number: &[u8]) -> Self {
        let limbs = limbs(number, number.len().div_ceil(8));
        assert_eq!(limbs[0] & 1, 1, "the modulus is odd");
        // Each round doubles the number of right bits.
        let inverse = (0..6).fold(limbs[0], |inverse, _| {
            inverse.wrapping_mul(2_u64.wrapping_sub(limbs[0].wrapping_mul(inverse)))
        });
        Self { octets: number.len(), limbs, inverse: inverse.wrapping_neg() }
    }

    /// A number of any length, modulo this one.
    pub fn reduce(&self, number: &[u8]) -> Vec<u8> {
        self.octets_of(&self.reduced(number))
    }

    pub fn product(&self, left: &[u8], right: &[u8]) -> Vec<u8> {
        let left = self.montgomery(&self.reduced(left), &self.radix_squared());
        self.octets_of(&self.montgomery(&left, &self.reduced(right)))
    }

    pub fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8> {
        let radix_squared = self.radix_squared();
        let base = self.montgomery(&self.reduced(base), &radix_squared);
        let one = limbs(&[1], self.limbs.len());
        let mut result = self.montgomery(&one, &radix_squared);
        for bit in bits(exponent) {
            result = self.montgomery(&result, &result);
            if bit {
                result = self.montgomery(&result, &base);
            }
        }
        self.octets_of(&self.montgomery(&result, &one))
    }

    fn reduced(&self, number: &[u8]) -> Vec<u64> {
        let mut value = vec![0; self.limbs.len()];
        for bit in bits(number) {
            self.double_and_add(&mut value, bit);
        }
        value
    }

    /// The square of the radix 2^(64 k).
    fn radix_squared(&self) -> Vec<u64> {
        let mut value = limbs(&[1], self.limbs.len());
        for _ in 0..128 * self.limbs.len() {
            self.double_and_add(&mut value, false);
        }
        value
    }

    fn double_and_add(&self, value: &mut Vec<u64>, bit: bool) {
        let mut carry = u64::from(bit);
        for limb in value.iter_mut() {
            let next = *limb >> 63;
            *limb = (*limb << 1) | carry;
            carry = next;
        }
        value.push(carry);
        self.subtract_once(value);
    }

    /// `left · right / radix`.
    fn montgomery(&self, left: &[u64], right: &[u64]) -> Vec<u64> {
        let length = self.limbs.len();
        let mut total = vec![0_u64; length + 2];
        for &digit in left {
            let top = multiply_and_add(&mut total[..length], right, digit);
            let (sum, overflow) = total[length].overflowing_add(top);
            total[length] = sum;
            total[length + 1] = u64::from(overflow);
            let factor = total[0].wrapping_mul(self.inverse);
            let top = multiply_and_add(&mut total[..length], &self.limbs, factor);
            let (sum, overflow) = total[length].overflowing_add(top);
            total[length] = sum;
            total[length + 1] += u64::from(overflow);
            total.remove(0);
            total.push(0);
        }
        total.truncate(length + 1);
        self.subtract_once(&mut total);
        total
    }

    /// Takes the modulus off if that is possible, and the top limb, which is zero then.
    fn subtract_once(&self, value: &mut Vec<u64>) {
        let length = self.limbs.len();
        let smaller = value[length] == 0 && value[..length].iter().rev().lt(self.limbs.iter().rev());
        if !smaller {
            let mut borrow = false;
            for (limb, part) in value.iter_mut().zip(&self.limbs) {
                let (first, one) = limb.overflowing_sub(*part);
                let (second, two) = first.overflowing_sub(u64::from(borrow));
                *limb = second;
                borrow = one || two;
            }
        }
        value.truncate(length);
    }

    fn octets_of(&self, limbs: &[u64]) -> Vec<u8> {
        let octets: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
        at_length(&octets, self.octets)
    }
}

/// `total += numbers · factor`; gives back what does not fit.
fn multiply_and_add(total: &mut [u64], numbers: &[u64], factor: u64) -> u64 {
    let mut carry = 0_u128;
    for (limb, number) in total.iter_mut().zip(numbers) {
        let sum = u128::from(*limb) + u128::from(*number) * u128::from(factor) + carry;
        *limb = sum as u64;
        carry = sum >> 64;
    }
    carry as u64
}

/// Little-endian limbs.
fn limbs(number: &[u8], length: usize) -> Vec<u64> {
    let padded = at_length(number, length * 8);
    padded.rchunks_exact(8).map(|limb| u64::from_be_bytes(limb.try_into().unwrap())).collect()
}

/// From the highest on.
fn bits(number: &[u8]) -> impl Iterator<Item = bool> {
    number.iter().flat_map(|octet| (0..8).rev().map(move |bit| (octet >> bit) & 1 == 1))
}
