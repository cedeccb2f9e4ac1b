#include "textflag.h"

// func scanAVX2(x *float32, n int, l *lanes)
// n is a positive multiple of 8. Offsets in lanes: sum 0, squares 64, min 128,
// max 160, zeros 192, bad 224.
TEXT ·scanAVX2(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ l+16(FP), DI
	VMOVUPD 0(DI), Y8        // sums of lanes 0 to 3
	VMOVUPD 32(DI), Y9       // sums of lanes 4 to 7
	VMOVUPD 64(DI), Y10      // squares
	VMOVUPD 96(DI), Y11
	VMOVUPS 128(DI), Y12     // min
	VMOVUPS 160(DI), Y13     // max
	VMOVDQU 192(DI), Y14     // zeros
	VMOVDQU 224(DI), Y15     // bad
	VXORPS Y7, Y7, Y7

loop:
	VMOVUPS (SI), Y0
	VCVTPS2PD (SI), Y1
	VCVTPS2PD 16(SI), Y2
	VADDPD Y1, Y8, Y8
	VADDPD Y2, Y9, Y9
	VFMADD231PD Y1, Y1, Y10
	VFMADD231PD Y2, Y2, Y11
	VMINPS Y12, Y0, Y12
	VMAXPS Y13, Y0, Y13
	VCMPPS $0, Y7, Y0, Y3    // all ones, which is -1, where the element is 0
	VSUBPS Y0, Y0, Y4        // NaN where the element is NaN or infinite, else +0
	VPSUBD Y3, Y14, Y14
	VPOR Y4, Y15, Y15
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ loop

	VMOVUPD Y8, 0(DI)
	VMOVUPD Y9, 32(DI)
	VMOVUPD Y10, 64(DI)
	VMOVUPD Y11, 96(DI)
	VMOVUPS Y12, 128(DI)
	VMOVUPS Y13, 160(DI)
	VMOVDQU Y14, 192(DI)
	VMOVDQU Y15, 224(DI)
	VZEROUPPER
	RET
